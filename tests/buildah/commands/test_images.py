"""Images on their way into the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_zlayer.buildah.commands.images import Unnamed, own_policy


def test_unnamed_image_is_noted_until_it_has_a_name() -> None:
    notes: list[Mapping[str, str]] = []
    with Unnamed(notes.append) as expect:
        expect("7")
        assert notes == [{"id": "7"}]
    assert notes == [{"id": "7"}, {"drop id": "7"}]


def test_image_that_never_got_a_name_stays_noted() -> None:
    notes: list[Mapping[str, str]] = []
    unnamed = Unnamed(notes.append)
    with pytest.raises(RuntimeError), unnamed as expect:  # noqa: PT012
        expect("7")
        raise RuntimeError
    assert notes == [{"id": "7"}]


def test_policy_of_our_own_lets_everything_in(tmp_path: Path) -> None:
    option, file = own_policy(tmp_path)
    assert option == "--signature-policy"
    content = json.loads(Path(file).read_text(encoding="ascii"))
    assert content == {"default": [{"type": "insecureAcceptAnything"}]}
    assert own_policy(tmp_path) == [option, file]
