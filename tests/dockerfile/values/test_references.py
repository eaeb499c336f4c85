"""Image references and their normal form."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.values.references import parse_reference

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19"),
        ("user/app", "docker.io/user/app:latest", "user/app:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("index.docker.io/u/a", "docker.io/u/a:latest", "u/a:latest"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
        ("localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1"),
        ("quay.io/a/b/c", "quay.io/a/b/c:latest", "quay.io/a/b/c:latest"),
        ("Registry/x", "Registry/x:latest", "Registry/x:latest"),
        ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
        (f"alpine@{SHA}", f"docker.io/library/alpine@{SHA}", f"alpine@{SHA}"),
        (f"a:1@{SHA}", f"docker.io/library/a:1@{SHA}", f"a:1@{SHA}"),
        ("0", "docker.io/library/0:latest", "0:latest"),
        ("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
        ("a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest", "a__b/c--d.e_f:latest"),
    ],
)
def test_missing_parts_are_filled_in(text: str, full: str, familiar: str) -> None:
    reference = parse_reference(text)
    assert (str(reference), reference.familiar) == (full, familiar)


def test_parts_are_reported_apart() -> None:
    reference = parse_reference(f"quay.io:443/a/b:1.0@{SHA}")
    assert reference.domain == "quay.io:443"
    assert reference.path == "a/b"
    assert reference.tag == "1.0"
    assert reference.digest == SHA
    assert reference.name == "quay.io:443/a/b"


def test_a_digest_alone_gets_no_tag() -> None:
    assert parse_reference(f"alpine@{SHA}").tag is None


@pytest.mark.parametrize(
    ("text", "explicit"),
    [("alpine", False), ("user/app", False), ("docker.io/alpine", True), ("localhost/x", True)],
)
def test_whether_the_domain_was_written_is_kept(text: str, explicit: bool) -> None:
    assert parse_reference(text).explicit_domain is explicit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a\n", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        (
            "Alpine",
            "invalid reference format: repository name (library/Alpine) must be lowercase",
        ),
        ("quay.io/A/b", "invalid reference format: repository name (A/b) must be lowercase"),
        (
            "b" * 64,
            f"invalid repository name ({'b' * 64}), cannot specify 64-byte hexadecimal strings",
        ),
        ("a@sha256:" + "a" * 63, "invalid checksum digest length"),
        ("a@sha256:" + "A" * 64, "invalid checksum digest format"),
        ("a@md5:" + "a" * 32, "unsupported digest algorithm"),
        ("a" * 256, "repository name must not be more than 255 characters"),
    ],
)
def test_errors_are_those_of_the_reference_library(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse_reference(text)
    assert str(raised.value) == message
