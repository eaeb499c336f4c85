"""The fixture ``zlayer_build``."""

from __future__ import annotations

import pytest


def test_it_builds_when_called_and_remembers(project):
    project.dockerfile("FROM scratch AS last", "api")
    project.pytester.makepyfile("""
        def test_it(zlayer_build):
            assert zlayer_build("api", target="last") is zlayer_build("api", target="last")
            assert zlayer_build(text="FROM scratch").label == "inline"
    """)
    project.run().assert_outcomes(passed=1)
    assert project.builds() == ["api:last built by main", "inline built by main", "closed"]


def test_a_path_starts_at_the_folder_of_the_caller(project):
    project.dockerfile("FROM scratch", "tests/api")
    (project.path / "tests" / "test_it.py").write_text(
        "def test_it(zlayer_build):\n    assert zlayer_build('api').label == 'api'\n"
    )
    project.run().assert_outcomes(passed=1)


def test_a_wrong_argument_is_an_error_of_the_test(project):
    project.pytester.makepyfile("""
        def test_it(zlayer_build):
            zlayer_build(text="FROM scratch", targt="x")
    """)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       zlayer_build(text=*",
            "E       pytest_zlayer.UsageError: unknown argument 'targt' of zlayer_build",
            "E       hint: did you mean 'target'?",
        ]
    )


def test_a_failed_build_shows_the_line_of_the_test_and_the_step(project):
    project.pytester.makepyfile("""
        def test_it(zlayer_build):
            zlayer_build(text="FROM scratch\\nRUN false")
    """)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       zlayer_build(text=*",
            "E       *BuildError: building inline failed at <inline Dockerfile>:2 (stage *): *",
            "*- zlayer build -*",
            "    2 | RUN false",
        ]
    )
    result.stdout.no_fnmatch_line("*def __call__*")
    result.stdout.no_fnmatch_line("*standin.py:*")


def test_a_test_can_expect_a_failure(project):
    project.pytester.makepyfile("""
        import pytest
        from pytest_zlayer.builder.model.errors import BuildError

        def test_it(zlayer_build):
            with pytest.raises(BuildError) as caught:
                zlayer_build(text="FROM scratch\\nRUN false")
            assert caught.value.exit_code == 1
    """)
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["session", "function"])
def test_fixtures_of_any_scope_can_use_it(project, scope):
    project.pytester.makepyfile(f"""
        import pytest

        @pytest.fixture(scope="{scope}")
        def api(zlayer_build):
            return zlayer_build(text="FROM scratch")

        def test_it(api):
            assert api.label == "inline"
    """)
    project.run().assert_outcomes(passed=1)
