"""Build checks as items."""

from __future__ import annotations

from tests.pytester.conftest import Project

GOOD = "FROM scratch\nCOPY a /a\n"
BAD = "FROM scratch\nMAINTAINER me\n"
BROKEN = "FROM scratch\nRUNN x\n"


def test_dockerfiles_that_are_met_are_checked(project: Project) -> None:
    project.dockerfile(GOOD, "good")
    project.dockerfile(BAD, "bad")
    project.dockerfile(BROKEN, "broken")
    (project.path / "bad/Dockerfile.dockerignore").write_text("x\n")
    result = project.run("--zlayer-lint", "-v")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "bad/Dockerfile::lint FAILED*",
            "broken/Dockerfile::lint FAILED*",
            "good/Dockerfile::lint PASSED*",
            "bad/Dockerfile:2:1: warning: MaintainerDeprecated: *",
            "    2 | MAINTAINER me",
            "      | ^~*",
            "broken/Dockerfile:2:1: unknown instruction: RUNN (did you mean RUN[?])",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_dockerfile_of_any_length_is_not_read(project: Project) -> None:
    project.dockerfile("")
    with (project.path / "Dockerfile").open("wb") as file:
        file.truncate(1 << 42)
    result = project.run("--zlayer-lint")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Dockerfile has more than 16 MiB: *"])
    result.stdout.no_fnmatch_line("*MemoryError*")


def test_nothing_is_checked_unless_it_is_asked_for(project: Project) -> None:
    project.dockerfile(BAD)
    assert project.run().ret == 5


def test_the_ini_option_names_files_wherever_they_are(project: Project) -> None:
    project.dockerfile(BAD, "services/a")
    project.dockerfile(GOOD, "services/b")
    project.dockerfile(BAD, "other")
    (project.path / "tests").mkdir()
    project.pytester.makeini("[pytest]\ntestpaths = tests\nzlayer_lint = services/*/Dockerfile\n")
    result = project.run("-v")
    result.assert_outcomes(passed=1, failed=1)
    project.run("services/b/Dockerfile::lint").assert_outcomes(passed=1)
    project.run("-k", "services and not lint").assert_outcomes(deselected=2)
    project.run_process("-n2").assert_outcomes(passed=1, failed=1)


def test_a_pattern_that_matches_nothing_is_refused(project: Project) -> None:
    project.pytester.makeini("[pytest]\nzlayer_lint = none/Dockerfile\n")
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: zlayer_lint: no such file: none/Dockerfile"])


def test_what_was_good_is_not_read_again_until_something_changes(project: Project) -> None:
    path = project.dockerfile(GOOD)
    # Images of the user's storage may change meanwhile, and are one of the things that count.
    project.pytester.makeini("[pytest]\nzlayer_root = none\n")
    project.pytester.makeconftest(
        """
from pytest_zlayer.plugin.items import lint

found = lint.examine_file

def examine(*args, **kwargs):
    print("EXAMINED")
    return found(*args, **kwargs)

lint.examine_file = examine
"""
    )
    examined = "*EXAMINED*"
    project.run_process("--zlayer-lint", "-s").stdout.fnmatch_lines([examined])
    project.run_process("--zlayer-lint", "-s").stdout.no_fnmatch_line(examined)
    (project.path / ".dockerignore").write_text("a\n")
    result = project.run_process("--zlayer-lint", "-s")
    result.stdout.fnmatch_lines([examined])
    result.assert_outcomes(failed=1)
    (project.path / ".dockerignore").unlink()
    path.write_text(BAD)
    project.run("--zlayer-lint").assert_outcomes(failed=1)
    project.run("--zlayer-lint", "-p", "no:cacheprovider").assert_outcomes(failed=1)


def test_findings_appear_in_junit_one_by_one(project: Project) -> None:
    project.dockerfile(BAD, "a")
    project.dockerfile(GOOD, "b")
    project.run("--zlayer-lint", "--junitxml=out.xml")
    text = (project.path / "out.xml").read_text()
    assert 'classname="a.Dockerfile" name="lint"' in text.replace(' time="', ' time="')
    assert "MaintainerDeprecated" in text
