"""``matrix=``: a test for each combination of build arguments, target and platform."""

from __future__ import annotations

import pytest


def _ids(result: pytest.RunResult) -> list[str]:
    return [line.split("::")[1] for line in result.outlines if "::" in line]


def test_a_matrix_makes_a_test_of_each_combination_with_readable_ids(project):
    project.dockerfile("ARG PY\nFROM scratch AS slim\nFROM scratch AS full\n")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(matrix={"PY": ["3.11", "3.12"], "target": ["slim", "full"]})
        def test_it(zlayer_image):
            pass
    """)
    result = project.run("--collect-only", "-q")
    assert _ids(result) == [
        "test_it[PY-3.11_target-slim]",
        "test_it[PY-3.11_target-full]",
        "test_it[PY-3.12_target-slim]",
        "test_it[PY-3.12_target-full]",
    ]


def test_cells_can_be_told_apart_in_messages(project):
    project.dockerfile("ARG PY\nFROM scratch AS slim\nRUN false\n", "api")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("api", matrix={"PY": ["3.11", "3.12"], "target": ["slim"]})
        def test_context(zlayer_image):
            pass

        @pytest.mark.image("api", name="named", matrix={"PY": ["3.13"]})
        def test_named(zlayer_image):
            pass
    """)
    text = project.run().stdout.str()
    for label in ("api[PY-3.11_target-slim]", "api[PY-3.12_target-slim]", "named[PY-3.13]"):
        assert f"building {label} failed at api/Dockerfile:3" in text
        assert f"zlayer: {label}: failed after" in text


def test_ids_can_be_given_to_k_as_they_stand(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch", matrix={"PY": ["3.11", "3.12"], "X": ["a = b"]})
        def test_it(zlayer_image, zlayer_matrix):
            assert zlayer_matrix["X"] == "a = b"
    """)
    project.run("-k", "PY-3.12").assert_outcomes(passed=1, deselected=1)
    project.run("-k", "PY-3.12_X-a---b").assert_outcomes(passed=1, deselected=1)


def test_the_values_reach_the_declaration(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(
            text="FROM scratch AS one", build_args={"PY": "0", "OTHER": "kept"},
            matrix={"PY": ["3.11", 4], "target": ["one"], "platform": ["linux/arm64"]},
        )
        def test_it(zlayer_image, zlayer_matrix):
            spec = zlayer_image.spec
            assert spec.build_args == {"PY": zlayer_matrix["PY"], "OTHER": "kept"}
            assert (spec.target, spec.platform) == ("one", "linux/arm64")
    """)
    project.run().assert_outcomes(passed=2)


def test_every_cell_is_built_once(project):
    project.pytester.makepyfile("""
        import pytest

        pytestmark = pytest.mark.image(text="FROM scratch", matrix={"A": ["1", "2"]})

        def test_one(zlayer_image):
            pass

        def test_two(zlayer_image):
            pass
    """)
    project.run().assert_outcomes(passed=4)
    assert len([line for line in project.builds() if "built" in line]) == 2


def test_a_matrix_works_on_a_class_and_beside_parametrize(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch", matrix={"A": ["1", "2"]})
        class TestIt:
            @pytest.mark.parametrize("number", [7, 8])
            def test_it(self, zlayer_image, number):
                pass
    """)
    project.run().assert_outcomes(passed=4)


def test_matrices_of_several_images_are_reported_apart_by_name(project):
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(name="api", text="FROM scratch", matrix={"V": ["1", "2"]})
        @pytest.mark.image(name="db", text="FROM scratch", matrix={"V": ["a"]})
        def test_it(zlayer_images, request):
            values = {name: one.spec.build_args["V"] for name, one in zlayer_images.items()}
            assert f"[db.V-{values['db']}_api.V-{values['api']}]" in request.node.nodeid
    """)
    project.run().assert_outcomes(passed=2)


def test_a_test_without_a_matrix_has_an_empty_one(project):
    project.pytester.makepyfile("""
        def test_it(zlayer_matrix):
            assert zlayer_matrix == {}
    """)
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("['3.11']", "matrix must be a mapping of names to lists of values, not ['3.11']"),
        ("{'PY': '3.11'}", "matrix['PY'] must be a list of values, not '3.11'"),
        ("{'PY': []}", "matrix['PY'] must be a list of values, not []"),
        ("{'PY': [3.11]}", "matrix['PY'][0] must be text, not 3.11"),
    ],
)
def test_a_wrong_matrix_is_reported_in_one_line(project, matrix, message):
    project.pytester.makepyfile(f"""
        import pytest

        @pytest.mark.image(text="FROM scratch", matrix={matrix})
        def test_it(zlayer_image):
            pass
    """)
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert f"  {message}" in result.outlines


def test_a_matrix_cannot_come_with_a_parameter(project):
    project.pytester.makepyfile("""
        import pytest

        mark = pytest.mark.image(text="FROM scratch", matrix={"A": ["1"]})

        @pytest.mark.parametrize("number", [pytest.param(1, marks=mark)])
        def test_it(zlayer_image, number):
            pass
    """)
    result = project.run()
    message = "  matrix= works on functions, classes and modules, not in pytest.param"
    assert message in result.outlines
