"""An instruction printed in canonical form parses to the same instruction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from pytest_zlayer.dockerfile import AnyInstruction, DockerfileError, Flag, Onbuild, Span, parse

_VECTORS = Path(__file__).parents[1] / "vectors" / "files.jsonl"
# What a canonical form does not keep: where things stood, and how they were spelled.
_NOT_KEPT = frozenset(("span", "source", "raw", "comments", "empty_continuation"))


def essence(value: object) -> object:
    """A value without positions and spelling, fit for comparison."""
    if isinstance(value, tuple):
        return [essence(one) for one in value]
    if isinstance(value, Span) or not is_dataclass(value):
        return value
    kept = {one.name: getattr(value, one.name) for one in fields(value)}
    if "keyword" in kept:
        kept["keyword"] = kept["keyword"].upper()
    if "trigger" in kept:  # what a trigger's text ends in
        kept["text"] = kept["text"].rstrip(" \t\f")
    return [type(value).__name__, *((k, essence(v)) for k, v in kept.items() if k not in _NOT_KEPT)]


def again(instruction: AnyInstruction, escape: str) -> AnyInstruction:
    text = f"# escape={escape}\nFROM x\n{instruction}\nUSER last\n"
    if instruction.name == "FROM":
        text = f"# escape={escape}\n{instruction}\nUSER last\n"
    *_, found, last = parse(text).instructions
    assert str(last) == "USER last"
    return found


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("from --platform=p  a\tas b", "FROM --platform=p a as b"),
        ("env a=b \\\n  c='d e'", "ENV a=b c='d e'"),
        ("env  a   b  c", "ENV a b  c"),
        ("Copy --from=x \\\n  # c\n  a\tb", "COPY --from=x a b"),
        ("copy ['a'] b", "COPY ['a'] b"),
        ('CMD [ "a","b" ]', 'CMD ["a", "b"]'),
        ("cmd  a  b ", "CMD a  b"),
        ("RUN --mount='type=cache,target=/a b' x", "RUN --mount='type=cache,target=/a b' x"),
        ("RUN cat <<A 3<<-B\na\nA\n\tb\n\t\tB", "RUN cat <<A 3<<-B\na\nA\n\tb\nB"),
        ("COPY -- --a b", "COPY -- --a b"),
        ("healthcheck  none", "HEALTHCHECK none"),
        ('healthcheck --retries=1  cmd  ["a"]', 'HEALTHCHECK --retries=1 cmd ["a"]'),
        ("onbuild  run  a", "ONBUILD run  a"),
        ("ONBUILD -- RUN x", "ONBUILD -- RUN x"),
        ("RUN", "RUN"),
        ("RUN []", "RUN []"),
        ("ARG a b=c", "ARG a b=c"),
        ("RUN a\\ \\", "RUN a\\\f"),
        ('COPY ["a",\v"b"]', 'COPY ["a",\v"b"]'),
        ("COPY <<\va b", "COPY <<\va\vb"),
    ],
)
def test_the_canonical_form(written: str, canonical: str) -> None:
    (instruction,) = parse(f"FROM x\n{written}").instructions[1:]
    assert str(instruction) == canonical
    assert essence(again(instruction, "\\")) == essence(instruction)


@pytest.mark.parametrize("trigger", ["ENV a b=c", "ENV a=b c=d", 'RUN --x ["a"]', "FOO"])
def test_a_trigger_has_a_canonical_form_too(trigger: str) -> None:
    (onbuild,) = parse(f"FROM x\nONBUILD {trigger}").instructions[1:]
    assert isinstance(onbuild, Onbuild)
    assert str(onbuild.trigger) == trigger


def test_a_flag_that_was_never_written_is_quoted() -> None:
    flag = Flag("mount", "target=/a b", Span(1, 1, 1, 1))
    (run,) = parse("FROM x\nRUN --network=none y").instructions[1:]
    assert str(replace(run, flags=(flag,))) == "RUN --mount='target=/a b' y"


def generated() -> Iterator[tuple[str, AnyInstruction]]:
    """Every line of the collected files that is a valid instruction, with its escape character."""
    for line in _VECTORS.read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        for node in vector.get("nodes", ()):
            source = "\n".join(vector["text"].split("\n")[node["start"] - 1 : node["end"]])
            escape = "`" if vector["text"].startswith("# escape=`") else "\\"
            try:
                dockerfile = parse(f"# escape={escape}\nFROM x\n{source}")
            except DockerfileError:
                continue
            yield escape, dockerfile.instructions[-1]


def test_every_collected_instruction_comes_back() -> None:
    count = 0
    for escape, instruction in generated():
        assert essence(again(instruction, escape)) == essence(instruction)
        count += 1
    assert count > 3_000


def test_sources_are_slices_of_the_file() -> None:
    text = "\ufeff# c\nFROM x\n RUN a \\\n b\nCOPY <<A /\n1\nA\n\nUSER u"
    dockerfile = parse(text)
    assert [one.source for one in dockerfile.instructions] == [
        "FROM x",
        "RUN a \\\n b",
        "COPY <<A /\n1\nA",
        "USER u",
    ]
