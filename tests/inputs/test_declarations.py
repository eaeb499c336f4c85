"""From the arguments of a declaration to an ``ImageSpec``."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.errors import UsageError
from pytest_zlayer.inputs import declarations
from pytest_zlayer.inputs.declarations import Place, declare


def keys_of_the_typed_arguments() -> set[str]:
    tree = ast.parse(inspect.getsource(declarations))
    (found,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == "ImageArguments"
    ]
    return {node.target.id for node in found.body if isinstance(node, ast.AnnAssign)}


def test_every_argument_of_the_marker_can_be_converted() -> None:
    known = {*declarations._PLAIN, *declarations._PLACED, "context", "buildargs", "matrix"}
    assert set(declarations.argument_names()) == known


def test_fixtures_and_calls_take_the_arguments_of_the_marker() -> None:
    names = set(declarations.argument_names()) - {"context", "matrix"}
    assert keys_of_the_typed_arguments() == names


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A test folder with an archive and a directory, below a rootdir with another one."""
    for name in ("tests/files", "shared"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tests" / "image.tar").touch()
    return Place(tmp_path / "tests", tmp_path)


def test_paths_of_a_spec_and_of_what_it_needs_start_at_the_folder_of_the_test(place: Place) -> None:
    needed = ImageSpec(ref="docker-archive:image.tar:x:1")
    contexts = {"files": "files", "shared": "shared", "other": "docker-image://x", "deep": needed}
    spec = declare(
        (ImageSpec(text="FROM base", base=needed, build_contexts=contexts),), {}, place=place
    )
    found = ImageSpec(ref=f"docker-archive:{place.folder}/image.tar:x:1")
    assert spec.base == found
    assert dict(spec.build_contexts) == {
        "files": f"{place.folder}/files",
        "shared": f"{place.rootdir}/shared",
        "other": "docker-image://x",
        "deep": found,
    }


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("oci-archive:none.tar", "there is no file for 'oci-archive:none.tar'"),
        ("oci:image.tar", "'oci:image.tar': tests/image.tar is not a directory"),
        ("oci-archive:files", "'oci-archive:files': tests/files is not an archive"),
        ("dir:", "'dir:' names no path"),
    ],
)
@pytest.mark.parametrize("form", ["argument", "spec", "base"])
def test_an_image_in_a_file_that_cannot_be_is_refused(
    place: Place, ref: str, message: str, form: str
) -> None:
    args, given = {
        "argument": ((), {"ref": ref}),
        "spec": ((ImageSpec(ref=ref),), {}),
        "base": ((), {"text": "", "base": ImageSpec(ref=ref)}),
    }[form]
    with pytest.raises(UsageError) as caught:
        declare(args, given, place=place)
    assert caught.value.message == message
