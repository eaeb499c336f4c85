"""``image_fixture``: named fixtures for conftest files."""

from __future__ import annotations

import pytest

IMPORT = "from pytest_zlayer.plugin.fixtures import image_fixture\n"


def _conftest(project, text: str, folder: str = ".") -> None:
    path = project.path / folder / "conftest.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(IMPORT + text)


def test_a_fixture_is_called_what_it_is_assigned_to(project):
    project.dockerfile("FROM scratch", "api")
    _conftest(project, "api = image_fixture('api', build_args={'A': '1'})")
    project.pytester.makepyfile("""
        def test_it(api):
            assert (api.label, api.spec.build_args) == ("api", {"A": "1"})
    """)
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["session", "package", "module", "class", "function"])
def test_it_can_have_any_scope(project, scope):
    _conftest(project, f"api = image_fixture(text='FROM scratch', scope={scope!r})")
    project.pytester.makepyfile("def test_it(api): assert api.label == 'inline'")
    project.run().assert_outcomes(passed=1)


def test_a_path_starts_at_the_folder_of_the_conftest(project):
    project.dockerfile("FROM scratch", "tests/api")
    _conftest(project, "api = image_fixture('api')", "tests")
    deeper = project.path / "tests" / "deep"
    deeper.mkdir()
    (deeper / "test_it.py").write_text("def test_it(api): assert api.label == 'api'")
    project.run().assert_outcomes(passed=1)


def test_mistakes_are_told_for_the_tests_that_use_it(project):
    _conftest(project, "api = image_fixture('nowhere')\nunused = image_fixture(targt='x')\n")
    project.pytester.makepyfile(test_it="def test_it(api): pass\ndef test_other(): pass")
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["test_it.py:1: test_it", "  no such build context: 'nowhere'"])
    result.stdout.no_fnmatch_line("*test_other*")


def test_a_failed_build_is_an_error_of_each_test_that_uses_it(project):
    _conftest(project, "api = image_fixture(text='FROM scratch\\nRUN false')")
    project.pytester.makepyfile("def test_one(api): pass\ndef test_two(api): pass")
    result = project.run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["building inline failed at <inline Dockerfile>:2 *"])


def test_a_matrix_makes_an_image_of_each_combination(project):
    _conftest(project, "api = image_fixture(text='FROM scratch', matrix={'A': ['1', '2']})")
    project.pytester.makepyfile("""
        def test_it(api, request):
            assert f"[A={api.spec.build_args['A']}]" in request.node.nodeid
    """)
    project.run("-W", "error").assert_outcomes(passed=2)


def test_it_is_listed_with_a_sentence(project):
    project.dockerfile("FROM scratch", "api")
    _conftest(project, "api = image_fixture('api')")
    result = project.run("--fixtures")
    result.stdout.fnmatch_lines(["api [[]session scope]*", "    Image built from api."])


def test_it_works_in_a_class(project):
    project.pytester.makepyfile("""
        from pytest_zlayer import image_fixture

        class TestIt:
            api = image_fixture(text="FROM scratch", name="api")

            def test_it(self, api):
                assert api.label == "api"

            class TestInside:
                other = image_fixture(text="FROM scratch AS o", name="other", scope="function")

                def test_both(self, api, other):
                    assert (api.label, other.label) == ("api", "other")
    """)
    project.run("-W", "error").assert_outcomes(passed=2)
