"""``parametrize("zlayer_image", …, indirect=True)`` with paths and declarations."""

from __future__ import annotations


def test_paths_and_declarations_can_be_parameters(project):
    for folder in ("api", "web"):
        project.dockerfile("FROM scratch AS last", folder)
    project.pytester.makepyfile("""
        from pathlib import Path

        import pytest
        from pytest_zlayer.builder.model.spec import ImageSpec

        @pytest.mark.parametrize(
            "zlayer_image",
            ["api", Path("web"), ImageSpec(context=Path("api"), target="last"),
             ImageSpec(name="named", text="FROM scratch", build_args={"A": "1"})],
            indirect=True,
        )
        def test_it(zlayer_image):
            print("LABEL", zlayer_image.label)
    """)
    result = project.run("-s", "-v", "--zlayer-progress=quiet")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        [
            "*::test_it[[]api] LABEL api",
            "*::test_it[[]web] LABEL web",
            "*::test_it[[]api:last] LABEL api:last",
            "*::test_it[[]named] LABEL named",
        ]
    )


def test_declarations_have_readable_ids_for_any_argument(project):
    project.pytester.makepyfile("""
        import pytest
        from pytest_zlayer.builder.model.spec import ImageSpec

        @pytest.mark.parametrize("spec", [
            ImageSpec(text="FROM scratch", build_args={"PY": "3.12"}), ImageSpec(ref="alpine:3"),
        ])
        def test_it(spec):
            pass
    """)
    result = project.run("--collect-only", "-q")
    result.stdout.fnmatch_lines(["*::test_it[[]inline_PY-3.12]", "*::test_it[[]alpine:3]"])


def test_paths_of_other_arguments_keep_pytests_ids(project):
    project.pytester.makepyfile("""
        from pathlib import Path

        import pytest

        @pytest.mark.parametrize("folder", [Path("x")])
        def test_it(folder):
            pass
    """)
    result = project.run("--collect-only", "-q")
    result.stdout.fnmatch_lines(["*::test_it[[]folder0]"])


def test_a_parameter_wins_over_a_mark(project):
    project.dockerfile("FROM scratch", "api")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        @pytest.mark.parametrize("zlayer_image", ["api"], indirect=True)
        def test_it(zlayer_image, zlayer_images):
            assert zlayer_image.label == "api"
            assert list(zlayer_images) == ["default"]
    """)
    project.run().assert_outcomes(passed=1)


def test_a_wrong_parameter_is_reported_before_any_test_runs(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("zlayer_image", ["nowhere", 7], indirect=True)
        def test_it(zlayer_image):
            pass
    """)
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "*: test_it[[]nowhere]",
            "  no such build context: 'nowhere'",
            "*: test_it[[]7]",
            "  context must be a path, not 7",
        ]
    )
