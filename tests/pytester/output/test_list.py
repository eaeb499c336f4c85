"""``--zlayer-list``: which tests need which images and stages."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def listed(project):
    project.dockerfile(
        "FROM scratch AS builder\nFROM scratch AS unused\nFROM scratch\nCOPY --from=builder / /\n",
        "api",
    )
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image("api")
        @pytest.mark.parametrize("number", [1, 2])
        def test_api(zlayer_image, number):
            raise AssertionError("no test may run")

        @pytest.mark.image(name="base", ref="alpine:3")
        def test_ready(zlayer_image):
            pass

        def test_other():
            pass
    """
    )
    return project


EXPECTED = [
    "api: api/Dockerfile",
    "   builder: FROM scratch",
    "   unused: FROM scratch  (not needed)",
    " * stage-2: FROM scratch, copies from builder",
    "    needed by test_it.py::test_api[1]",
    "    needed by test_it.py::test_api[2]",
    "",
    "base: ready image alpine:3",
    "    needed by test_it.py::test_ready",
    "",
    "1 test needs no image",
]


@pytest.mark.parametrize("args", [[], ["-n2"]])
def test_images_are_listed_with_stages_and_tests(listed, args):
    result = listed.run("--zlayer-list", "--zlayer-buildah=/missing", *args)
    assert result.ret == pytest.ExitCode.OK
    start = result.outlines.index(EXPECTED[0])
    assert result.outlines[start : start + len(EXPECTED)] == EXPECTED
    assert listed.builds() == ["closed"]


def test_only_selected_tests_count(listed):
    result = listed.run("--zlayer-list", "-k", "ready")
    result.stdout.no_fnmatch_line("api:*")


def test_mistakes_are_reported_instead(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("nowhere")
        def test_it(zlayer_image):
            pass
    """)
    assert project.run("--zlayer-list").ret == pytest.ExitCode.INTERRUPTED


def as_json(project, *args):
    result = project.run("--zlayer-list=json", "--zlayer-buildah=/missing", *args)
    assert result.ret == pytest.ExitCode.OK
    return json.loads("\n".join(result.outlines))


@pytest.mark.parametrize("args", [[], ["-n2"], ["-q"], ["-v"]])
def test_json_stands_alone_on_standard_output(listed, args):
    found = as_json(listed, *args)
    assert found["version"] == 1
    first, second = found["images"]
    assert first == {
        "name": "api",
        "dockerfile": "api/Dockerfile",
        "context": str(listed.pytester.path / "api"),
        "target": None,
        "platform": None,
        "build_args": [],
        "group": found["groups"][0]["id"],
        "tests": ["test_it.py::test_api[1]", "test_it.py::test_api[2]"],
        "stages": ["builder", "stage-2"],
    }
    assert (second["name"], second["stages"]) == ("base", [])
    assert [(one["images"], one["tests"]) for one in found["groups"]] == [
        (["api"], 2),
        (["base"], 1),
    ]


def test_the_switch_takes_no_path_for_its_format(listed):
    result = listed.run("--zlayer-list", "test_it.py", "--zlayer-buildah=/missing")
    assert EXPECTED[0] in result.outlines


def test_an_unknown_format_is_refused(listed):
    result = listed.run("--zlayer-list=yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_values_of_build_arguments_are_not_listed(project):
    project.dockerfile("FROM scratch\nARG TOKEN\n")
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.image(build_args={"TOKEN": "c4n4ry"})
        def test_it(zlayer_image):
            pass
    """
    )
    result = project.run("--zlayer-list=json")
    assert "c4n4ry" not in result.stdout.str()
    assert json.loads("\n".join(result.outlines))["images"][0]["build_args"] == ["TOKEN"]


@pytest.fixture
def grouped(project):
    project.dockerfile("FROM scratch AS a\nCOPY Dockerfile /a\nFROM a AS b\n", "one")
    project.dockerfile("FROM scratch\n", "two")
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.image("one", target="a")
        def test_a(zlayer_image):
            pass

        @pytest.mark.image("two")
        def test_two(zlayer_image):
            pass

        @pytest.mark.image("one", target="b")
        def test_b(zlayer_image):
            pass

        def test_none():
            pass
    """
    )
    return project


def test_images_of_one_dockerfile_are_one_group(grouped):
    found = as_json(grouped)
    assert [one["images"] for one in found["groups"]] == [["one:a", "one:b"], ["two"]]
    assert len({one["id"] for one in found["groups"]}) == 2


def test_only_the_tests_of_a_group_are_run(grouped):
    first, second = as_json(grouped)["groups"]
    grouped.run(f"--zlayer-group={first['id']}").assert_outcomes(passed=2, deselected=2)
    grouped.run(f"--zlayer-group={second['id']}").assert_outcomes(passed=1, deselected=3)


def test_a_group_that_is_not_there_is_refused_with_those_that_are(grouped):
    known = ", ".join(one["id"] for one in as_json(grouped)["groups"])
    result = grouped.run("--zlayer-group=nosuch")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*no group 'nosuch'; there are: {known}"])
