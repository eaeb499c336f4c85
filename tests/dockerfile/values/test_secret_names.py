"""Names that look like those of secrets."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.secret_names import looks_secret


@pytest.mark.parametrize("name", ["TOKEN", "npm_token", "API_KEY", "DB_PASSWORD", "auth"])
def test_secret(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["PATH", "KEYBOARD", "TOKENIZER", "PUBLIC_KEY", "TOKEN_FILE"])
def test_no_secret(name: str) -> None:
    assert not looks_secret(name)
