"""``base=``: the image under another one is a named context of the word that FROM uses."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_zlayer.builder.model.spec import ImageSpec
from pytest_zlayer.dockerfile.stages.resolve import StageGraph
from pytest_zlayer.errors import UsageError
from pytest_zlayer.lazy import late_pattern

BASE = "base"
_FROM = late_pattern(r"^[ \t]*FROM[ \t]", re.IGNORECASE | re.MULTILINE)
# Directives, comments and empty lines stay above what is put in front.
_HEAD = late_pattern(r"(?:[ \t]*(?:#[^\n]*)?\n)*")


def with_base(spec: ImageSpec) -> ImageSpec:
    """The declaration with its base as a named context, and with a FROM if its text has none.

    Raises:
        UsageError: the base is a name, which nobody has resolved, or is said twice.
    """
    if spec.base is None:
        return spec
    if isinstance(spec.base, str):
        raise UsageError(
            f"base={spec.base!r} names an image that is not declared here",
            hint="name an image that the same test declares, or give an ImageSpec",
        )
    if BASE in spec.build_contexts:
        raise UsageError("base= and build_contexts both say what FROM base is")
    contexts = {**spec.build_contexts, BASE: spec.base}
    return replace(spec, base=None, build_contexts=contexts, text=_with_from(spec.text))


def _with_from(text: str | None) -> str | None:
    if text is None or _FROM.search(text):
        return text
    return _HEAD.sub(rf"\g<0>FROM {BASE}\n", text, count=1)


def check_base(graph: StageGraph, spec: ImageSpec) -> None:
    """Raise ``UsageError`` when a base was declared and no stage that is needed uses it."""
    if not isinstance(spec.build_contexts.get(BASE), ImageSpec):
        return
    used = (graph.nodes[index].base for index in graph.needed)
    if not any(one.kind == "context" and one.name == BASE for one in used):
        raise UsageError(
            f"{graph.dockerfile.filename} has no FROM {BASE}",
            hint=f"write FROM {BASE} where the declared base image is meant",
        )
