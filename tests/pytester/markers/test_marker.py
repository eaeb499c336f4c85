"""The marks ``image`` and ``zlayer_image``: which count, which win, and what they say."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("marker", ["image", "zlayer_image"])
def test_both_markers_are_known_to_strict_runs(project, marker):
    project.dockerfile("FROM scratch", "api")
    project.pytester.makepyfile(f"""
        import pytest

        @pytest.mark.{marker}("api")
        def test_it(zlayer_image):
            assert zlayer_image.label == "api"
    """)
    project.run("--strict-markers").assert_outcomes(passed=1)


@pytest.mark.parametrize("marker", ["image", "zlayer_image"])
def test_markers_are_listed(project, marker):
    project.run("--markers").stdout.fnmatch_lines([f"@pytest.mark.{marker}(context='.', *, *"])


def test_a_context_starts_at_the_folder_of_the_test(project):
    project.dockerfile("FROM scratch", "tests/api")
    project.dockerfile("FROM scratch AS wrong", "api")
    path = project.path / "tests" / "test_it.py"
    path.write_text(
        "import pytest\n"
        "@pytest.mark.image('api')\n"
        "def test_it(zlayer_image):\n"
        "    assert zlayer_image.spec.context.parent.name == 'tests'\n"
    )
    project.run().assert_outcomes(passed=1)


def test_a_context_is_then_looked_for_in_the_rootdir(project):
    project.dockerfile("FROM scratch", "api")
    project.pytester.makeini("[pytest]")
    path = project.path / "tests" / "test_it.py"
    path.parent.mkdir()
    path.write_text(
        "import pytest\n"
        "@pytest.mark.image('api')\n"
        "def test_it(zlayer_image, pytestconfig):\n"
        "    assert zlayer_image.spec.context == pytestconfig.rootpath / 'api'\n"
    )
    project.run().assert_outcomes(passed=1)


def test_without_arguments_the_folder_of_the_test_is_the_context(project):
    project.dockerfile("FROM scratch")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image
        def test_it(zlayer_image, request):
            assert zlayer_image.spec.context == request.path.parent
    """)
    project.run().assert_outcomes(passed=1)


def test_inline_text_needs_no_context(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_image):
            assert zlayer_image.spec.context is None
            assert zlayer_image.spec.text == "FROM scratch"
    """)
    project.run().assert_outcomes(passed=1)


def test_a_spec_can_stand_for_the_arguments(project):
    project.pytester.makepyfile("""
        import pytest
        from pytest_zlayer.builder.model.spec import ImageSpec

        @pytest.mark.image(ImageSpec(text="FROM scratch AS one", target="one"))
        def test_it(zlayer_image):
            assert zlayer_image.spec.target == "one"
    """)
    project.run().assert_outcomes(passed=1)


def test_every_argument_reaches_the_declaration(project):
    project.dockerfile("FROM scratch AS last", "api")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(
            "api", name="n", dockerfile="Dockerfile", target="last", build_args={"A": 1},
            build_contexts={"other": "api"}, platform="linux/arm64", tags=["t:1"],
            labels={"l": "v"}, secrets={"s": "env:S"}, ssh={"default": "default"},
            cache_mounts=["/c"], pull="never", network="none", retries=2, timeout=5,
            no_cache=True, format="docker", squash=True, layers="each",
        )
        def test_it(zlayer_image, request):
            spec = zlayer_image.spec
            folder = request.path.parent
            assert (spec.name, spec.dockerfile, spec.target) == ("n", "Dockerfile", "last")
            assert spec.build_args == {"A": "1"}
            assert spec.build_contexts == {"other": str(folder / "api")}
            assert (spec.platform, spec.tags, spec.labels) == ("linux/arm64", ("t:1",), {"l": "v"})
            assert (spec.secrets, spec.ssh) == ({"s": "env:S"}, {"default": "default"})
            assert (spec.cache_mounts, spec.pull, spec.network) == (("/c",), "never", "none")
            assert (spec.retries, spec.timeout, spec.no_cache) == (2, 5.0, True)
            assert (spec.format, spec.squash, spec.layers) == ("docker", True, "each")
    """)
    project.run().assert_outcomes(passed=1)


def test_buildargs_is_another_word_for_build_args(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch", buildargs={"A": "1"})
        def test_it(zlayer_image):
            assert zlayer_image.spec.build_args == {"A": "1"}
    """)
    project.run().assert_outcomes(passed=1)


def test_the_closest_mark_of_a_name_wins(project):
    for name in ("module", "outer", "base", "own", "function", "param"):
        project.dockerfile("FROM scratch", name)
    project.pytester.makepyfile("""
        import pytest

        pytestmark = pytest.mark.image("module")

        def test_module(zlayer_image):
            assert zlayer_image.label == "module"

        @pytest.mark.image("base")
        class TestBase:
            def test_base(self, zlayer_image):
                assert zlayer_image.label == self.expected
            expected = "base"

        @pytest.mark.image("own")
        class TestOwn(TestBase):
            expected = "own"

            @pytest.mark.image("function")
            def test_function(self, zlayer_image):
                assert zlayer_image.label == "function"

        @pytest.mark.image("function")
        @pytest.mark.parametrize("expected", [
            "function", pytest.param("param", marks=pytest.mark.image("param"))
        ])
        def test_param(zlayer_image, expected):
            assert zlayer_image.label == expected
    """)
    project.run().assert_outcomes(passed=6)


def test_a_plain_mark_next_to_none_of_our_fixtures_is_not_ours(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("ubuntu-22.04", family="ubuntu")
        def test_it():
            pass
    """)
    project.run("--strict-markers").assert_outcomes(passed=1)
    assert project.builds() == []


def test_a_plain_mark_counts_when_a_fixture_of_the_test_reads_it(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def server(zlayer_image):
            return f"server of {zlayer_image.label}"

        @pytest.mark.image(text="FROM scratch")
        def test_it(server):
            assert server == "server of inline"
    """)
    project.run().assert_outcomes(passed=1)


def test_our_own_mark_is_checked_even_without_our_fixtures(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.zlayer_image("nowhere")
        def test_it():
            pass
    """)
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*no such build context: 'nowhere'"])
