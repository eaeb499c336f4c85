"""Mistakes in declarations are errors of the collection: all at once, before any test runs."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

SCRATCH = "FROM scratch\n"


def _errors(result: pytest.RunResult) -> str:
    """What the section ERRORS shows."""
    text = result.stdout.str().partition(" ERRORS =")[2].partition("\n")[2]
    return text.partition("\n=====")[0]


def _heading() -> str:
    return " ERROR collecting test_it.py ".center(80, "_")


def test_all_mistakes_are_reported_together(project):
    project.dockerfile("FROM scratch AS runtime\n", "good")
    project.dockerfile("FROM scratch\nRUNN make\n", "bad")
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image("good", targt="x")
        def test_keyword(zlayer_image):
            pass

        @pytest.mark.image("nowhere")
        def test_context(zlayer_image):
            pass

        @pytest.mark.image("bad")
        def test_syntax(zlayer_image):
            pass

        @pytest.mark.image("bad")
        def test_syntax_again(zlayer_image):
            pass

        @pytest.mark.image("good", target="runtme")
        def test_target(zlayer_image):
            pass

        def test_good():
            raise AssertionError("no test may run")
    """
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    heading = _heading()
    assert _errors(result) == (
        f"{heading}\n"
        "test_it.py:3: test_keyword\n"
        "  unknown argument 'targt' of the image marker\n"
        "  hint: did you mean 'target'?\n"
        f"{heading}\n"
        "test_it.py:7: test_context\n"
        "  no such build context: 'nowhere'\n"
        "  hint: looked for nowhere\n"
        f"{heading}\n"
        "test_it.py:11: test_syntax\n"
        "  bad/Dockerfile:2:1: unknown instruction: RUNN (did you mean RUN?)\n"
        "      2 | RUNN make\n"
        "        | ^~~~\n"
        f"{heading}\n"
        "test_it.py:15: test_syntax_again\n"
        "  bad/Dockerfile:2:1: unknown instruction: RUNN (did you mean RUN?)"
        " (in full at test_it.py::test_syntax)\n"
        f"{heading}\n"
        "test_it.py:19: test_target\n"
        '  good/Dockerfile:1:17: target stage "runtme" could not be found (did you mean runtime?)\n'
        "      1 | FROM scratch AS runtime\n"
        "        |                 ^~~~~~~\n"
        "  hint: stages that can be targets: runtime"
    )
    result.stdout.fnmatch_lines(["*Interrupted: 5 errors during collection*"])
    assert "failed" not in result.stdout.str()
    assert project.builds() == ["closed"]


@pytest.fixture
def half_wrong(project):
    """One test with a mistake, one with an image, one with none."""
    project.dockerfile(SCRATCH, "good")
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image("nowhere")
        def test_wrong(zlayer_image):
            pass

        @pytest.mark.image("good")
        def test_good(zlayer_image):
            pass

        def test_plain():
            pass
    """
    )
    return project


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "workers"])
def test_other_tests_run_where_pytest_goes_on_after_such_errors(half_wrong, workers):
    result = half_wrong.run_process("--continue-on-collection-errors", *workers)
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert sum("test_it.py:3: test_wrong" in line for line in result.outlines) == 1


def test_a_dockerfile_with_a_name_that_the_system_refuses(project):
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.image(".", dockerfile="x" * 300)
        def test_one(zlayer_image):
            pass
        """
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["  planning failed: File name too long: */xxx*"])


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["alone", "worker"])
def test_a_mistake_stands_in_the_junit_report_at_its_test(half_wrong, workers):
    half_wrong.run_process("--junitxml=report.xml", *workers)
    (case,) = ET.parse(half_wrong.path / "report.xml").iter("testcase")  # noqa: S314
    assert (case.get("classname"), case.get("name")) == ("test_it", "test_wrong")
    error = case.find("error")
    assert error is not None
    assert error.text == (
        "test_it.py:3: test_wrong\n  no such build context: 'nowhere'\n  hint: looked for nowhere"
    )


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["alone", "worker"])
def test_the_short_summary_holds_the_first_line_of_a_mistake_in_ci_too(
    half_wrong, workers, monkeypatch
):
    monkeypatch.setenv("CI", "true")
    result = half_wrong.run_process(*workers)
    summary = result.stdout.str().partition("short test summary info")[2].splitlines()[1]
    assert summary == "ERROR test_it.py::test_wrong - no such build context: 'nowhere'"
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_what_another_plugin_deselects_last_is_neither_checked_nor_built(half_wrong, monkeypatch):
    monkeypatch.setenv("STANDIN_AHEAD", "1")
    half_wrong.pytester.makeconftest("""
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(config, items):
            config.hook.pytest_deselected(items=items[:2])
            items[:] = items[2:]
    """)
    half_wrong.run().assert_outcomes(passed=1, deselected=2)
    assert half_wrong.builds() == []


def test_nothing_is_built_when_a_later_test_is_wrong(project):
    project.dockerfile(SCRATCH, "good")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("good")
        def test_good(zlayer_image):
            pass

        @pytest.mark.image("nowhere")
        def test_bad(zlayer_image):
            pass
    """)
    project.run()
    assert [line for line in project.builds() if "built" in line] == []


@pytest.mark.parametrize("selection", [["-k", "good"], ["-m", "not slow"], ["::test_good"]])
def test_only_selected_tests_are_checked(project, selection):
    project.dockerfile(SCRATCH, "good")
    project.pytester.makeini("[pytest]\nmarkers = slow")
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image("good")
        def test_good(zlayer_image):
            pass

        @pytest.mark.slow
        @pytest.mark.image("nowhere")
        def test_other(zlayer_image):
            pass
    """
    )
    args = [f"test_it.py{one}" if one.startswith("::") else one for one in selection]
    project.run(*args).assert_outcomes(passed=1, deselected=0 if "::" in selection[0] else 1)


def test_collect_only_checks_as_well(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("nowhere")
        def test_it(zlayer_image):
            pass
    """)
    assert project.run("--collect-only").ret == pytest.ExitCode.INTERRUPTED


def test_checking_needs_no_engine(project):
    project.dockerfile(SCRATCH, "good")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("good")
        def test_it(zlayer_image):
            pass
    """)
    result = project.run("--collect-only", "--zlayer-buildah=/missing")
    assert result.ret == pytest.ExitCode.OK
    assert project.builds() == ["closed"]


def test_a_run_without_images_opens_no_session(project):
    project.pytester.makepyfile("def test_it(): pass")
    project.run().assert_outcomes(passed=1)
    assert project.builds() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'.', 'x'", "the image marker takes one positional argument, the context, not 2"),
        ("target=3", "target must be text, not 3"),
        ("build_args=['A=1']", "build_args must be a mapping of names to values, not ['A=1']"),
        ("build_args={'PY': 3.10}", "build_args['PY'] must be text, not 3.1"),
        ("retries='2'", "retries must be a whole number, not '2'"),
        ("retries=-1", "retries must be 0 or more, not -1"),
        ("timeout=0", "timeout must be more than 0 seconds, not 0.0"),
        ("no_cache='yes'", "no_cache must be True or False, not 'yes'"),
        ("network='bridge'", "network must be one of default, none, host, not 'bridge'"),
        ("pull='sometimes'", "pull must be one of missing, newer, always, never, not 'sometimes'"),
        ("format='tar'", "format must be oci or docker, not 'tar'"),
        ("layers='few'", "layers must be each, not 'few'"),
        (
            "tags=['Bad Tag']",
            (
                "tags: 'Bad Tag' is not a name for an image: invalid reference format: repository"
                " name (library/Bad Tag) must be lowercase"
            ),
        ),
        (
            "tags=['UPPER/x']",
            "tags: 'UPPER/x' is not a name for an image: it must be in lower case",
        ),
        (
            "tags=['a:b:c']",
            "tags: 'a:b:c' is not a name for an image: invalid reference format",
        ),
        ("tags=[1]", "tags must be a list of texts, not [1]"),
        ("context=None", "an image needs a context, a text or a ref"),
        ("context=7", "context must be a path, not 7"),
        (
            "text='FROM scratch', dockerfile='x'",
            "an image takes either text or dockerfile, not both",
        ),
        (
            "build_args={}, buildargs={}",
            "build_args and buildargs are the same argument; give one of them",
        ),
        ("build_contexts={'c': 'nowhere'}", "no such build context: 'nowhere'"),
    ],
)
def test_a_wrong_argument_is_reported_in_one_line(project, arguments, message):
    project.dockerfile(SCRATCH)
    project.pytester.makepyfile(f"""
        import pytest

        @pytest.mark.image({arguments})
        def test_it(zlayer_image):
            pass
    """)
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert _errors(result).splitlines()[2] == f"  {message}"


def test_a_test_that_reads_an_image_but_declares_none_is_wrong(project):
    project.pytester.makepyfile(test_it="def test_it(zlayer_image): pass")
    result = project.run()
    assert _errors(result) == (
        f"{_heading()}\n"
        "test_it.py:1: test_it\n"
        "  the test declares no image\n"
        '  hint: add a mark: @pytest.mark.image("path/of/the/context")'
    )


def test_the_one_image_of_a_test_must_be_clear(project):
    project.dockerfile(SCRATCH)
    project.pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.image(name="a")
        @pytest.mark.image(name="b")
        def test_it(zlayer_image):
            pass
    """
    )
    result = project.run()
    assert _errors(result).splitlines()[2:4] == [
        "  the test declares several images (a, b), so zlayer_image is none of them",
        "  hint: use zlayer_images, a mapping of names to images",
    ]
