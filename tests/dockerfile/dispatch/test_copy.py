"""COPY and ADD: destinations, inline files, flags, sources."""

from __future__ import annotations

import pytest

from pytest_zlayer.dockerfile.dispatch.copy import destination
from pytest_zlayer.dockerfile.dispatch.instruction import begin_stage, dispatch
from pytest_zlayer.dockerfile.errors import DockerfileError
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig
from pytest_zlayer.dockerfile.operations.kinds import (
    MAIN_CONTEXT,
    CopyOperation,
    InlineFile,
    SourceRef,
)
from pytest_zlayer.dockerfile.parser.parse import parse
from pytest_zlayer.dockerfile.stages.resolve import link_stages
from pytest_zlayer.dockerfile.values.platforms import Platform

AMD = Platform("linux", "amd64")
SHA = "sha256:" + "a" * 64


def copy(*lines: str, target: str | None = None) -> CopyOperation:
    """The operation of the last instruction."""
    graph = link_stages(parse("\n".join(lines) + "\n"), build_platform=AMD, target=target)
    state = begin_stage(graph, graph.target, ImageConfig(os="linux"))
    for instruction in graph.nodes[graph.target].stage.instructions:
        state, operation = dispatch(graph, graph.target, state, instruction)
    assert isinstance(operation, CopyOperation)
    return operation


def refusal(*lines: str, target: str | None = None) -> str:
    with pytest.raises(DockerfileError) as raised:
        copy(*lines, target=target)
    assert raised.value.phase == "dispatch"
    return str(raised.value)


def first_line(*lines: str) -> str:
    return refusal("FROM a", *lines).splitlines()[0]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/x", "/x"),
        ("x", "/w/x"),
        ("x/", "/w/x/"),
        ("x/.", "/w/x/"),
        (".", "/w/"),
        ("", "/w/"),
        ("./", "/w/"),
        ("..", "/"),
        ("/", "/"),
        ("/a//b/../c/", "/a/c/"),
    ],
)
def test_destinations_are_absolute_and_keep_their_directory_meaning(path: str, found: str):
    assert destination("/w", path) == found


def test_sources_and_destination_are_expanded():
    found = copy("FROM a", "ENV a=1", "WORKDIR /w", "COPY $a b* c$a/")
    assert (found.sources, found.destination, found.from_) == (("1", "b*"), "/w/c1/", MAIN_CONTEXT)


def test_quotes_do_not_hold_words_together():
    assert first_line('COPY "a b" c') == (
        'Dockerfile:2:6: failed to process "\\"a": unexpected end of statement while looking for'
        " matching double-quote"
    )


def test_names_with_spaces_need_the_json_form():
    assert copy("FROM a", 'COPY ["a b", "c d"]').sources == ("a b",)


def test_flags_are_carried():
    found = copy(
        "FROM a",
        "ENV m=u+x u=1000",
        "COPY --chown=$u:$u --chmod=$m --link --parents --exclude=*.o --exclude=$m a b",
    )
    assert (found.chown, found.chmod) == ("1000:1000", "u+x")
    assert (found.link, found.parents, found.exclude) == (True, True, ("*.o", "$m"))


def test_flags_that_expand_to_nothing_are_not_given():
    found = copy("FROM a", "COPY --chown=$none --chmod=$none a b")
    assert (found.chown, found.chmod) == (None, None)


def test_an_octal_mode_out_of_range_is_refused():
    assert refusal("FROM a", "COPY --chmod=999 a b") == (
        "Dockerfile:2:14: invalid chmod parameter: '999'. it should be octal string and between 0"
        " and 07777\n"
        "    2 | COPY --chmod=999 a b\n"
        "      |              ^~~"
    )


def test_copy_from_a_stage_by_number():
    found = copy("FROM a", "FROM b", "COPY --from=0 x y")
    assert found.from_ == SourceRef("stage", index=0)


def test_copy_from_a_later_stage_is_refused():
    assert refusal("FROM a AS t", "COPY --from=l a b", "FROM b AS l", target="t") == (
        'Dockerfile:2:13: cannot copy from stage "l", it needs to be defined before current stage'
        ' "t"\n'
        "    2 | COPY --from=l a b\n"
        "      |             ^"
    )


def test_heredocs_become_files():
    found = copy("FROM a", "COPY x <<A <<-B /d/", "a", "A", "\tb", "\tB")
    assert found.sources == ("x",)
    assert found.files == (InlineFile("A", b"a\n"), InlineFile("B", b"b\n"))


def test_heredocs_are_expanded_and_lose_their_backslashes():
    found = copy("FROM a", "ENV x=1", "COPY <<A /d", "$x '$x' a\\tb \\\\ \\$x", "A")
    assert found.files == (InlineFile("A", b"1 '1' atb \\ $x\n"),)


def test_heredocs_with_a_quoted_name_stay_as_they_are():
    found = copy("FROM a", "COPY <<'A' /d", "$x \\", "A")
    assert found.files == (InlineFile("A", b"$x \\\n"),)


def test_a_heredoc_that_cannot_be_expanded_is_refused_at_its_word():
    assert refusal("FROM a", "COPY <<A /d", "${", "A").startswith("Dockerfile:2:6: failed to")


def test_copy_refuses_urls():
    assert refusal("FROM a", "COPY https://example.com/a b") == (
        "Dockerfile:2:6: source can't be a URL for COPY\n"
        "    2 | COPY https://example.com/a b\n"
        "      |      ^~~~~~~~~~~~~~~~~~~~~\n"
        "hint: ADD downloads files"
    )


@pytest.mark.parametrize(
    "source", ["https://example.com/r.git", "git@host:r", "ssh://h/r", "git://h/r.git#v1"]
)
def test_copy_refuses_git_references(source: str):
    said = refusal("FROM a", f"COPY {source} b").splitlines()
    assert said[0] == "Dockerfile:2:6: source can't be a git ref for COPY"
    assert said[-1] == "hint: ADD clones repositories"


def test_add_takes_urls_and_git_references_in_order():
    found = copy("FROM a", "ADD x https://e.com/f https://e.com/r.git#main:sub /d/")
    assert found.sources == ("x", "https://e.com/f", "https://e.com/r.git#main:sub")


def test_flags_of_add_are_carried():
    found = copy(
        "FROM a", f"ADD --checksum={SHA} --keep-git-dir=true --unpack=false https://e.com/f /d"
    )
    assert (found.checksum, found.keep_git_dir, found.unpack) == (SHA, True, False)
    assert found.kind == "ADD"


def test_flags_of_add_that_are_not_given_say_so():
    found = copy("FROM a", "ADD f /d")
    assert (found.checksum, found.keep_git_dir, found.unpack) == (None, None, None)


def test_a_checksum_is_for_one_source():
    assert first_line(f"ADD --checksum={SHA} https://e.com/f https://e.com/g /d") == (
        "Dockerfile:2:16: checksum can't be specified for multiple sources"
    )


def test_a_checksum_is_for_remote_sources():
    assert first_line(f"ADD --checksum={SHA} f /d") == (
        "Dockerfile:2:16: checksum requires HTTP(S) or Git sources"
    )


@pytest.mark.parametrize(
    ("checksum", "message"),
    [
        ("abc", "invalid checksum digest format"),
        ("sha256:abc", "invalid checksum digest length"),
        ("md5:abc", "unsupported digest algorithm"),
        ("sha256:" + "A" * 64, "invalid checksum digest format"),
        ("MD5:abc", "invalid checksum digest format"),
    ],
)
def test_checksums_of_downloads_are_checked(checksum: str, message: str):
    assert first_line(f"ADD --checksum={checksum} https://e.com/f /d") == (
        f"Dockerfile:2:16: {message}"
    )


def test_a_commit_is_a_checksum_for_git():
    assert copy("FROM a", "ADD --checksum=abc123 https://e.com/r.git /d").checksum == "abc123"


def test_two_commits_must_agree():
    assert first_line("ADD --checksum=abc https://e.com/r.git?checksum=abd /d") == (
        'Dockerfile:2:16: checksum mismatch "abc" != "abd"'
    )


def test_keep_git_dir_must_agree_with_the_reference():
    assert first_line("ADD --keep-git-dir=false https://e.com/r.git?keep-git-dir /d") == (
        "Dockerfile:2:26: inconsistent keep-git-dir configuration"
    )


def test_unknown_options_of_a_git_reference_are_refused():
    assert first_line("ADD https://e.com/r.git?foo=1 /d") == (
        'Dockerfile:2:5: unexpected query "foo"'
    )
