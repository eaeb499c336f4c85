"""Images on images: ``base=``, declarations as contexts, and other ways to declare."""

from __future__ import annotations

from tests.pytester.conftest import Project

CHAIN = """
import pytest
from pytest_zlayer import ImageSpec

pytestmark = pytest.mark.image(text="FROM scratch\\nLABEL a=b", name="lowest")

@pytest.mark.image(text="# comment\\nRUN true", base="lowest", name="middle")
@pytest.mark.image(text="FROM base AS x\\nRUN true", base="middle", name="top")
def test_chain(zlayer_images):
    top = zlayer_images["top"].spec
    assert top.base is None
    middle = top.build_contexts["base"]
    assert middle.name == "middle"
    assert middle.base.name == "lowest"

@pytest.mark.image(text="RUN true", base=ImageSpec(ref="alpine:3"))
def test_spec(zlayer_image):
    assert zlayer_image.spec.text == "FROM base\\nRUN true"
    assert zlayer_image.spec.build_contexts["base"].ref == "alpine:3"

@pytest.mark.image(text="FROM tools", build_contexts={"tools": ImageSpec(ref="alpine:3")})
def test_context(zlayer_image):
    assert zlayer_image.spec.build_contexts["tools"].ref == "alpine:3"
"""


def test_an_image_stands_on_another_one(project: Project) -> None:
    project.pytester.makepyfile(CHAIN)
    project.run().assert_outcomes(passed=3)


def problems(project: Project, marks: str) -> str:
    """What is reported of a test with these marks."""
    project.pytester.makepyfile(
        f"import pytest\nfrom pytest_zlayer import ImageSpec\n{marks}\n"
        "def test_it(zlayer_images): pass"
    )
    result = project.run()
    assert result.ret != 0
    assert [one for one in project.builds() if "built" in one] == []
    return f"{result.stdout.str()}{result.stderr.str()}"


def test_a_circle_is_spelt_out(project: Project) -> None:
    marks = "\n".join(
        f"@pytest.mark.image(text='RUN true', name='{one}', base='{two}')"
        for one, two in (("a", "b"), ("b", "c"), ("c", "a"))
    )
    assert "images are based on each other: a -> b -> c -> a" in problems(project, marks)


def test_a_base_that_nobody_declares_is_reported(project: Project) -> None:
    reported = problems(project, "@pytest.mark.image(text='RUN true', name='a', base='x')")
    assert "base='x' names no image that the test declares" in reported
    assert "hint: there are: a" in reported


def test_a_base_that_is_not_used_is_reported(project: Project) -> None:
    mark = "@pytest.mark.image(text='FROM scratch', base=ImageSpec(ref='a'))"
    assert "has no FROM base" in problems(project, mark)


def test_a_mistake_below_is_reported_too(project: Project) -> None:
    mark = "@pytest.mark.image(text='RUN true', base=ImageSpec(text='FROM scratch\\nRUNN'))"
    assert "unknown instruction: RUNN" in problems(project, mark)


def test_images_and_containers_as_parameters(project: Project) -> None:
    project.dockerfile("FROM scratch", "api")
    project.pytester.makepyfile("""
        import pytest
        from pytest_zlayer import ImageSpec

        @pytest.mark.parametrize("zlayer_container", ["api"], indirect=True)
        def test_container(zlayer_container):
            assert zlayer_container == "container of api"

        @pytest.mark.parametrize("zlayer_images", [
            {"one": "api", "two": ImageSpec(ref="alpine:3")},
            [ImageSpec(ref="alpine:3", name="one"), ImageSpec(ref="alpine:4", name="two")],
        ], indirect=True)
        def test_images(zlayer_images):
            assert set(zlayer_images) == {"one", "two"}
    """)
    project.run().assert_outcomes(passed=3)


def test_the_marker_can_have_another_name(project: Project) -> None:
    project.pytester.makeini("[pytest]\nzlayer_marker = container\nmarkers = image: of a camera\n")
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image("no context at all")
        @pytest.mark.container(text="FROM scratch")
        def test_it(zlayer_image):
            assert zlayer_image.spec.text == "FROM scratch"
    """)
    project.run("--strict-markers").assert_outcomes(passed=1)


def test_a_mark_can_be_added_while_a_test_runs(project: Project) -> None:
    project.pytester.makepyfile("""
        import pytest

        def test_it(request):
            request.node.add_marker(pytest.mark.image(text="FROM scratch"))
            assert request.getfixturevalue("zlayer_image").spec.text == "FROM scratch"
    """)
    project.run().assert_outcomes(passed=1)
