"""From the arguments of a declaration to an ``ImageSpec``."""

from __future__ import annotations

import ast
import inspect

from pytest_zlayer.inputs import declarations


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
