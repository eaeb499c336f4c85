"""Runs in the jobs of GitHub Actions and GitLab."""

from __future__ import annotations

import pytest

TESTS = r"""
    import pytest

    @pytest.mark.image(text="FROM scratch\nRUN flaky\nRUN echo ##[error]no")
    def test_one(zlayer_image):
        pass

    @pytest.mark.image("api")
    def test_broken(zlayer_image):
        pass
"""


@pytest.fixture
def job(project, monkeypatch):
    project.dockerfile("FROM scratch\nRUN make\nRUN false\n", "api")
    project.pytester.makepyfile(test_it=TESTS)
    monkeypatch.setenv("CI", "true")
    return project


def test_github(job, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    summary = job.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = job.run_process("--zlayer-progress=plain")
    commands = [line for line in result.outlines if line.lstrip().startswith("::")]
    assert commands == [
        (
            "::warning line=2,title=inline%3A RUN flaky was tried again::"
            "attempt 1 of 3 failed: exit code 7"
        ),
        (
            "::error file=api/Dockerfile,line=3,endLine=3,"
            "title=building api failed (stage stage-0)::RUN false: the command exited with 1"
        ),
        "::group::zlayer: log of api: stage-0 RUN false",
        "::endgroup::",
    ]
    assert "##[" not in result.stdout.str()
    assert "| api | ❌ failed |" in summary.read_text(encoding="utf-8")
    assert "| inline | ✅ built |" in summary.read_text(encoding="utf-8")


def test_names_that_are_no_text_end_no_run(project, monkeypatch):
    summary = project.path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    project.pytester.makepyfile(
        r"""
        import pytest

        @pytest.mark.image(text="FROM scratch\nLABEL a=b", name="x\udcff")
        def test_one(zlayer_image):
            pass
        """
    )
    result = project.run_process("--zlayer-report=r.html", "--zlayer-report=r.json")
    result.assert_outcomes(passed=1)
    for file in (summary, project.path / "r.html", project.path / "r.json"):
        assert "x?" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("args", [[], ["-n1"]])
def test_findings_of_checks_stand_at_their_lines(project, monkeypatch, args):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.dockerfile("FROM scratch\nMAINTAINER ##[error]me\n", "api")
    project.dockerfile("FROM scratch\nRUNN x\n", "broken")
    result = project.run_process("--zlayer-lint", *args)
    commands = [line.partition(",title")[0] for line in result.outlines if line.startswith("::")]
    assert commands == [
        "::warning file=api/Dockerfile,line=2,endLine=2,col=1",
        (
            "::error file=broken/Dockerfile,line=2,col=1::"
            "unknown instruction: RUNN (did you mean RUN?)"
        ),
    ]
    assert "MAINTAINER #" in result.stdout.str()
    assert "##[" not in result.stdout.str()


def test_gitlab(job, monkeypatch):
    monkeypatch.setenv("GITLAB_CI", "true")
    text = job.run_process().stdout.str()
    assert text.count("section_start:") == text.count("section_end:") == 1
    assert "[collapsed=true]" in text


@pytest.mark.parametrize("args", [[], ["-n1"]])
def test_a_mistake_is_an_error_at_its_place(project, monkeypatch, args):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.dockerfile("FROM scratch\nRUM x\n", "api")
    project.pytester.makepyfile(test_it=TESTS)
    result = project.run_process(*args)
    (command,) = [line for line in result.outlines if line.startswith("::")]
    assert command.startswith("::error file=api/Dockerfile,line=2,col=1::")


HOSTILE = r"""
    import pytest

    @pytest.mark.image(text="FROM scratch\nRUN ##[error]step\nRUN flaky", name="::error::named")
    def test_named(zlayer_images):
        pass

    @pytest.mark.image("::error::folder", name="##[error]named")
    def test_broken(zlayer_images):
        pass

    @pytest.mark.image(text="FROM scratch\nRUN section_start:1:x", name="section_end:1:x")
    def test_section(zlayer_images):
        pass
"""


@pytest.mark.parametrize("service", ["GITHUB_ACTIONS", "GITLAB_CI"])
@pytest.mark.parametrize(
    "args",
    [
        ["--zlayer-progress=plain", "--zlayer-durations=0", "--zlayer-keep=all"],
        ["-n1", "-v", "--zlayer-durations=0"],
        ["--zlayer-list"],
        ["--collect-only"],
    ],
    ids=["plain", "xdist", "list", "mistakes"],
)
def test_names_and_places_are_no_commands(project, monkeypatch, args, service):
    monkeypatch.setenv(service, "true")
    project.dockerfile("FROM scratch\nRUN false\n", "::error::folder")
    if "--collect-only" in args:
        project.dockerfile("FROM scratch\nRUM ##[error]\n", "##[error]folder")
        project.pytester.makepyfile(test_it=HOSTILE.replace("::error::folder", "##[error]folder"))
    else:
        project.pytester.makepyfile(test_it=HOSTILE)
    result = project.run_process(*args)
    lines = [*result.outlines, *result.errlines]
    assert any("error" in line for line in lines)
    own = ("::group::zlayer: log of ", "::endgroup::", "::warning line=", "::error file=")
    sections = ("\x1b[0Ksection_start:", "\x1b[0Ksection_end:")
    commands = [line for line in lines if line.lstrip().startswith("::")]
    assert [line for line in commands if not line.startswith(own)] == []
    marked = [line for line in lines if "##[" in line and not line.startswith("::error file=")]
    assert marked == []
    cut = [line for line in lines if "section_start:" in line or "section_end:" in line]
    assert [line for line in cut if not line.startswith(sections)] == []
