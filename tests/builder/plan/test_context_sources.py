"""What a COPY takes from a build context is looked for before anything is built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_zlayer import DockerfileError, ImageSpec, UsageError
from pytest_zlayer.builder.context.build_context import open_context
from pytest_zlayer.builder.model.options import BuildOptions
from pytest_zlayer.builder.plan.build_plan import BuildPlan, make_plan


@pytest.fixture
def context(tmp_path: Path) -> Path:
    for name in ("src/config.yml", "app.py", "secret.pem", "dist/app-1.tar"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def plan(context: Path | None, text: str, **values: object) -> BuildPlan:
    return make_plan(ImageSpec(context=context, text=text, **values), BuildOptions())


def message(context: Path | None, text: str, **values: object) -> str:
    with pytest.raises(DockerfileError) as caught:
        plan(context, text, **values)
    return str(caught.value)


def test_a_source_that_is_not_there_is_an_error_at_its_place(context: Path) -> None:
    assert message(context, "FROM x\nCOPY app.pyy /srv/") == (
        f'<inline Dockerfile>:2:6: "/app.pyy": not found in the build context {context}\n'
        "    2 | COPY app.pyy /srv/\n"
        "      |      ^~~~~~~\n"
        "hint: did you mean app.py?"
    )


def test_a_file_of_the_same_name_elsewhere_is_named(context: Path) -> None:
    assert message(context, "FROM x\nCOPY srv/config.yml /").endswith(
        "hint: there is src/config.yml"
    )


def test_the_rule_that_hides_a_source_is_named(context: Path) -> None:
    (context / ".dockerignore").write_text("dist\n*.pem\n")
    assert message(context, "FROM x\nADD secret.pem /").endswith(
        "hint: it exists but the ignore file excludes it: *.pem"
    )


def test_every_source_that_is_missing_is_reported(context: Path) -> None:
    found = message(context, "FROM x\nCOPY nothing /\nCOPY app.py neither /d/")
    assert found.count("not found in the build context") == 2


def test_a_named_context_is_called_by_its_name(context: Path) -> None:
    contexts = {"more": str(context / "src")}
    found = message(None, "FROM x\nCOPY --from=more app.py /", build_contexts=contexts)
    assert f"not found in the build context more ({context / 'src'})" in found


def test_without_a_context_there_is_nothing_to_copy() -> None:
    assert '"/app.py": not found in an empty context' in message(None, "FROM x\nCOPY app.py /")


@pytest.mark.parametrize(
    "instruction",
    [
        "COPY app.py /",
        "COPY . /",
        "COPY ./src/../app.py /",
        "COPY *.none /",
        "COPY --from=other nothing /",
        "COPY $UNKNOWN /",
        "COPY dist/app-${VERSION:-2}.tar /",
        "ADD https://example.com/nothing /",
        "COPY <<EOF /nothing\nEOF",
    ],
)
def test_what_is_there_or_cannot_be_known_is_no_error(context: Path, instruction: str) -> None:
    plan(context, f"FROM x AS other\nFROM x\n{instruction}")


def test_variables_are_known_where_no_image_stands_below(context: Path) -> None:
    text = "FROM scratch AS a\nARG V=1\nFROM a\nCOPY dist/app-$V.tar /\nCOPY dist/x-$V.tar /"
    found = message(context, text)
    assert '"/dist/x-1.tar": not found' in found
    assert found.count("not found") == 1


def test_stages_that_the_target_does_not_need_are_not_looked_at(context: Path) -> None:
    plan(context, "FROM x AS unused\nCOPY nothing /\nFROM x\nCOPY app.py /")


def test_findings_of_the_build_checks_are_errors_where_the_file_says_so(context: Path) -> None:
    assert message(context, "# check=error=true\nFROM scratch as x\nWORKDIR /w") == (
        "<inline Dockerfile>:2:14: FromAsCasing: 'as' and 'FROM' keywords' casing do not match\n"
        "    2 | FROM scratch as x\n"
        "      |              ^~"
    )


def test_build_checks_know_the_platform_of_the_image(context: Path) -> None:
    lines = ["# check=error=true", "FROM scratch", "ARG TARGETVARIANT"]
    text = "\n".join([*lines, "WORKDIR ${TARGETVARIANT:+/}work"])
    plan(context, text, platform="linux/arm/v7")
    found = message(context, text, platform="linux/amd64")
    assert found.startswith("<inline Dockerfile>:4:9: WorkdirRelativePath: ")


def test_variables_of_an_image_that_nobody_has_are_no_findings(context: Path) -> None:
    plan(context, "# check=error=true\nFROM x\nENV A=$HOME_OF_X")


def test_a_comment_behind_a_copy_is_no_comment(context: Path) -> None:
    found = message(context, "FROM x\nCOPY app.py # the program /srv/")
    assert "hint: a comment has a line of its own; here # is one of the files to copy" in found


def test_a_file_is_no_build_context(context: Path) -> None:
    with pytest.raises(UsageError, match=r"not a tar archive: .*\nhint: a build context is a dir"):
        open_context(context / "app.py")


def test_a_directory_is_no_dockerfile(context: Path) -> None:
    with pytest.raises(UsageError, match=r"src is a directory, not a Dockerfile\nhint: name the"):
        make_plan(ImageSpec(context=context, dockerfile="src"), BuildOptions())


def test_a_dockerfile_outside_context_and_project_is_read_by_its_own_path_only(
    context: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "Dockerfile"
    outside.write_text("FROM x\n")
    (context / "linked").symlink_to(outside)
    for name in ("linked", os.path.relpath(outside, context)):
        with pytest.raises(UsageError, match="lies outside the build context and the project"):
            make_plan(ImageSpec(context=context, dockerfile=name), BuildOptions())
    make_plan(ImageSpec(context=context, dockerfile=str(outside)), BuildOptions())
