"""Agreement with other parsers and with BuildKit's recorded answers.

Three oracles are asked the same question: which instructions, with which flags, arguments, JSON
form, here-documents and lines, or no answer at all because of a parse error.

- ``vectors/files.jsonl``: 2,000 generated files with the nodes and the first error of BuildKit
  itself. Agreement: 2,000 of 2,000, apart from ``mojibake`` below (8 files).
- ``dockerfile``: BuildKit's Go parser of some years ago.
- ``e2b-dockerfile-utils``: a Python port of BuildKit's parser.

What is excused is named with the reason; nothing else is.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dockerfile as go_parser  # type: ignore[import-not-found]
import e2b_dockerfile_utils as port
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_zlayer.dockerfile import DockerfileError, parse
from pytest_zlayer.dockerfile.parser.lexer import Scan
from pytest_zlayer.dockerfile.parser.parse import Parser
from pytest_zlayer.dockerfile.parser.parts import Parts, split_parts
from pytest_zlayer.dockerfile.parser.refusals import KEYWORDS

_VECTORS = Path(__file__).parents[1] / "vectors" / "files.jsonl"
Node = dict[str, Any]


def scan(text: str) -> Scan:
    """Phase "parse" alone: it has an answer where instructions make no sense yet."""
    return Parser.shared()._lexer.scan(text.removeprefix("\ufeff"))


def our_nodes(text: str) -> list[Node] | None:
    """What we make of a text, without what instructions mean; ``None``: a parse error."""
    found = scan(text)
    if found.errors or not found.lines:
        return None
    return [node_of(split_parts(tokens, text)) for tokens in found.lines]


def node_of(parts: Parts) -> Node:
    keyword = parts.keyword.value.upper()
    node: Node = {
        "name": keyword,
        "start": parts.line.first,
        "end": parts.line.last,
        "flags": [str(flag) for flag in parts.flags],
        "args": arguments(keyword, parts),
        "json": parts.json,
        "heredocs": [
            (one.name, one.content, one.expand, one.chomp, one.fd) for one in parts.heredocs
        ],
    }
    if parts.trigger is not None:
        node["trigger"] = {
            "name": parts.trigger.value.upper(),
            "flags": [str(flag) for flag in parts.trigger_flags],
            "args": arguments(parts.trigger.value.upper(), parts),
            "json": parts.trigger.json,
        }
        node["args"] = []
    return node


def arguments(keyword: str, parts: Parts) -> list[str]:
    """The arguments; ENV and LABEL give name, value and the delimiter, as BuildKit's nodes do."""
    found: list[str] = []
    for token in parts.tokens:
        if keyword in ("ENV", "LABEL") and token.type == "PAIR":
            name, _, value = token.value.partition("=")
            found += [name, value, "="]
        else:
            found.append(token.value)
            found += [""] if token.type == "VALUE" else []
    return found


# Deviations, each with its reason


def mojibake(text: str) -> str:
    """How BuildKit prints a flag: it reads flags byte by byte, as if they were Latin-1.

    We keep UTF-8; the bytes 85 and A0 even split words there.
    """
    return text.encode().decode("latin-1")


def in_latin_1(nodes: list[Node]) -> list[Node]:
    for node in nodes:
        node["flags"] = [mojibake(flag) for flag in node["flags"]]
        if "trigger" in node:
            node["trigger"]["flags"] = [mojibake(flag) for flag in node["trigger"]["flags"]]
    return nodes


def without_suggestion(message: str) -> str:
    """Among names that are equally near BuildKit picks any; we pick the first."""
    return re.sub(r" \(did you mean [^)]*\)$", "", message)


# BuildKit's recorded answers


@functools.cache
def vectors() -> list[dict[str, Any]]:
    return [json.loads(line) for line in _VECTORS.read_text(encoding="utf-8").splitlines()]


def recorded(node: Node) -> Node:
    """A recorded node in the form of the nodes of this package."""
    known = node["cmd"].upper() in KEYWORDS
    made: Node = {
        "name": node["cmd"].upper(),
        "start": node["start"],
        "end": node["end"],
        "flags": node.get("flags", []),
        # An unknown instruction has one empty argument there.
        "args": node["args"] if known else [],
        "json": node.get("json", False),
        "heredocs": [
            (one["name"], one["content"], one["expand"], one["chomp"], one["fd"])
            for one in node.get("heredocs", [])
        ],
    }
    if "sub" in node:
        sub = recorded({"start": 0, "end": 0, **node["sub"]})
        made["trigger"] = {key: sub[key] for key in ("name", "flags", "args", "json")}
    return made


def test_nodes_are_those_of_buildkit() -> None:
    for vector in vectors():
        nodes = our_nodes(vector["text"])
        if "nodes" not in vector:
            assert nodes is None, vector["text"]
        else:
            assert nodes is not None, vector["text"]
            wanted = [recorded(node) for node in vector["nodes"]]
            for ours in nodes:
                if ours["name"] not in KEYWORDS:
                    ours["args"] = []
            assert in_latin_1(nodes) == wanted, vector["text"]


def test_only_flags_that_are_not_ascii_need_an_excuse() -> None:
    excused = [
        vector["text"]
        for vector in vectors()
        if "nodes" in vector
        and any(not flag.isascii() for node in vector["nodes"] for flag in all_flags(node))
    ]
    assert len(excused) == 8


def all_flags(node: Node) -> list[str]:
    return [*node.get("flags", []), *node.get("sub", {}).get("flags", [])]


def test_errors_are_those_of_buildkit() -> None:
    for vector in vectors():
        error = vector.get("error")
        found = first_error(vector["text"])
        if error is None:
            assert found is None, vector["text"]
            continue
        message = re.sub(r"^dockerfile parse error on line \d+: ", "", error["message"])
        (lines,) = error["lines"]
        wanted = (error["phase"], without_suggestion(message), (lines[0], lines[-1]))
        assert found == wanted, vector["text"]


def first_error(text: str) -> tuple[str, str, tuple[int, int] | None] | None:
    try:
        parse(text)
    except DockerfileError as error:
        first = min(error.diagnostics, key=lambda one: one.lines or (0, 0))
        return error.phase, without_suggestion(first.message), first.lines
    return None


# Generated files

_WORDS = [
    "a", "b=c", "x=", "=", '"', "'", "\\", "`", "\\\\", "$x", "${y}", "${z:-w}", "<<EOF", "<<-E",
    '<<"Q"', "3<<EOF", "<<", "[", '"a"', ",", "]", '["a", "b"]', '["a",1]', "[]", "--", "--from=a",
    "--x", "--y='b c'", "#", "EOF", "E", "é", "NONE", "CMD", "AS", "as", "RUN", "1<<2", "it's",
    '"b c"', "'d e'", "\\ ",
]  # fmt: skip
_ENDS = ["\n"] * 6 + ["\r\n", "\\\n", "`\n", "\\ \t\n", "\n\n", "\\\n# c\n", "\\\n\n", " \n", ""]
_BODIES = ["", "EOF\n", "body\nEOF\n", "\tE\n", "x\n\tE\n", "Q\n"]

lines = st.tuples(
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from([*KEYWORDS, *KEYWORDS, "run", "Foo", "\\\nRUN", "# c", "RU\\\nN"]),
    st.lists(st.tuples(st.sampled_from([" ", "\t ", ""]), st.sampled_from(_WORDS)), max_size=5),
    st.sampled_from(_ENDS),
    st.sampled_from(_BODIES),
).map(lambda made: made[0] + made[1] + " " + "".join(map("".join, made[2])) + made[3] + made[4])
heads = st.sampled_from(["", "FROM a\n", "# escape=`\n", "# syntax=x\n#escape=\\\n", "\n", "# c\n"])
broken_files = st.tuples(heads, st.lists(lines, min_size=1, max_size=5)).map(
    lambda made: made[0] + "".join(made[1])
)

_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
_VALUES = st.sampled_from(["1", "$a", "${a:-b}", '"x y"', "'z'", "a\\ b", "/usr/local", "é"])
_SHELL = st.lists(st.sampled_from(["echo", "a", "&&", "$x", '"b c"', "| sh", "> /f"]), min_size=1)
_COMMANDS = st.one_of(
    _SHELL.map(" ".join),
    _SHELL.map(" \\\n    ".join),
    st.lists(st.text(max_size=4), min_size=1).map(json.dumps),
)
instructions = st.one_of(
    _COMMANDS.map(lambda command: f"RUN {command}"),
    _COMMANDS.map(lambda command: f"RUN --mount=type=cache,target=/c --network=none {command}"),
    _COMMANDS.map(lambda command: f"HEALTHCHECK --interval=5s CMD {command}"),
    st.tuples(st.sampled_from(["CMD", "ENTRYPOINT", "ONBUILD RUN"]), _COMMANDS).map(" ".join),
    st.lists(st.tuples(_NAMES, _VALUES).map("=".join), min_size=1).map(
        lambda pairs: "ENV " + " \\\n    ".join(pairs)
    ),
    st.tuples(_NAMES, _VALUES).map(lambda made: f"LABEL {made[0]} {made[1]}"),
    st.tuples(_NAMES, _VALUES).map(lambda made: f"ARG {made[0]}={made[1]}"),
    st.tuples(_NAMES, _NAMES).map(lambda made: f"COPY --chown=1:2 --from={made[0]} {made[1]} /x/"),
    st.tuples(_NAMES, _NAMES).map(
        lambda made: f"COPY <<{made[0].upper()} /x/\n{made[1]}\n{made[0].upper()}"
    ),
    _NAMES.map(lambda name: f"RUN <<-'END'\n\techo {name}\n\tEND"),
    st.sampled_from(["WORKDIR /a b", "USER 1:2", "EXPOSE 80 81/udp", "VOLUME /a /b", "# c", ""]),
    _NAMES.map(lambda name: f"FROM {name} AS {name}"),
)
valid_files = st.lists(instructions, max_size=8).map(lambda made: "\n".join(["FROM a", *made, ""]))


@st.composite
def damaged_files(draw: Callable[[st.SearchStrategy[Any]], Any]) -> str:
    """A valid file with a few characters taken out or put in."""
    text: str = draw(valid_files)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        put = draw(st.sampled_from(["", "\\", '"', "'", "\n", " ", "#", "<<", "--", "[", "]", "="]))
        text = text[:at] + put + text[at + draw(st.integers(0, 2)) :]
    return text


files = st.one_of(broken_files, valid_files, damaged_files())


# The Go parser of some years ago


def go_nodes(text: str) -> list[Node] | None:
    try:
        return [go_node(one) for one in go_parser.parse_string(text)]
    except go_parser.GoParseError:
        return None


def go_node(one: Any) -> Node:
    node = {
        "name": (one.cmd or "").upper(),
        "start": one.start_line,
        "end": one.end_line,
        "flags": list(one.flags),
        "args": list(one.value),
        "json": one.json,
        "heredocs": [(doc.name, doc.content, doc.file_descriptor) for doc in one.heredocs],
    }
    return node | {"trigger": (one.sub_cmd or "").upper()}


def like_go(node: Node) -> Node:
    """Our node in the form of the Go parser: no delimiters, the trigger flattened into it."""
    trigger = node.get("trigger")
    inner = trigger or node
    args = inner["args"]
    if inner["name"] in ("ENV", "LABEL"):
        args = [word for at, word in enumerate(args) if at % 3 < 2]
    return {
        "name": node["name"],
        "start": node["start"],
        "end": node["end"],
        "flags": [mojibake(flag) for flag in node["flags"]],
        "args": args if inner["name"] in KEYWORDS else [""],
        "json": inner["json"],
        "heredocs": [(doc[0], doc[1], doc[4]) for doc in node["heredocs"]],
        "trigger": trigger["name"] if trigger else "",
    }


_JSON_THEN_TEXT = re.compile(r"\[[^\]]*\][^\n]")
_HEREDOC_AND_DEFAULT = re.compile(r"<<.*\$\{\w*[-+:?#%/]|\$\{\w*[-+:?#%/].*<<")
_FORGETS = "BuildKit forgets the beginning of a word when it meets a ${…} with a word inside"
_SPACED_HEREDOC = re.compile(r"<<[ \t]")


def go_deviates(text: str) -> str | None:
    """Why the old Go parser may differ on a text."""
    if _HEREDOC_AND_DEFAULT.search(text):
        return _FORGETS
    if _JSON_THEN_TEXT.search(text):
        return "text behind a JSON array does not keep it from being one"
    if "\\u0000" in text or "\0" in text:
        return "its strings end at NUL on their way to Python"
    if _SPACED_HEREDOC.search(text) or "<<\\" in text:
        return "it does not see here-documents with white space before the name"
    if re.search(r"#\s*check\s*=", text):
        return "the check directive is younger"
    if "escape=`" in text and "--" in text:
        return "its flags know no escape character but the backslash"
    return None


@example('FROM a\nRUN ["a"] b\n')
@example("# escape=`\nFROM a\nRUN --a=b\\\\c` d\n")
@given(files)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_nodes_are_those_of_the_go_parser(text: str) -> None:
    assume(go_deviates(text) is None)
    nodes = our_nodes(text)
    assert (None if nodes is None else [like_go(node) for node in nodes]) == go_nodes(text)


# The Python port


def port_nodes(text: str) -> list[Node] | None:
    try:
        return [port_node(one) for one in port.parse_dockerfile_ast(text).instructions]
    except port.DockerfileSyntaxError:
        return None


def port_node(one: Any) -> Node:
    return {
        "name": one.name,
        "start": one.start_line,
        "end": one.end_line,
        "flags": one.flags,
        "args": one.args,
        "json": one.json,
        "heredocs": [
            (doc.name, doc.content, doc.expand, doc.chomp, doc.file_descriptor)
            for doc in one.heredocs
        ],
    }


def like_port(node: Node) -> Node:
    """Our node in the form of the port, which drops what ONBUILD triggers."""
    return {name: value for name, value in node.items() if name != "trigger"}


def port_deviates(text: str) -> str | None:
    """Why the port may differ on a text."""
    if _HEREDOC_AND_DEFAULT.search(text):
        return _FORGETS
    if "ONBUILD" in text.upper():
        return "it does not look into ONBUILD, neither for arguments nor for here-documents"
    nodes = our_nodes(text)
    if nodes is None:
        return None if scan(text).errors else "it accepts a file without instructions"
    if any(node["name"] not in KEYWORDS for node in nodes):
        return "it refuses unknown instructions while parsing"
    if re.search(r"\\u[dD][89abAB]", text):
        return "it leaves half a surrogate pair in JSON strings as it is"
    quoting = re.compile(r"""['"\\`]""")
    if any(node["name"] in ("COPY", "ADD") and quoting.search(str(node["args"])) for node in nodes):
        return "it honours quotes and escapes in the words of COPY and ADD"
    return None


@given(files)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_nodes_are_those_of_the_python_port(text: str) -> None:
    assume(port_deviates(text) is None)
    nodes = our_nodes(text)
    assert (None if nodes is None else [like_port(node) for node in nodes]) == port_nodes(text)


@pytest.mark.parametrize("oracle", [go_nodes, port_nodes])
def test_an_ordinary_file_is_read_alike(oracle: Callable[[str], list[Node] | None]) -> None:
    text = 'FROM a AS b\nRUN x && \\\n  y\nCOPY --from=b c d\nCMD ["e"]\n'
    ours, theirs = our_nodes(text), oracle(text)
    assert ours is not None
    assert theirs is not None
    assert [one["args"] for one in ours] == [one["args"] for one in theirs]


def every_line() -> Iterator[str]:
    for vector in vectors():
        yield vector["text"]


@pytest.mark.parametrize(
    ("nodes_of", "form", "excuse"),
    [(go_nodes, like_go, go_deviates), (port_nodes, like_port, port_deviates)],
    ids=["dockerfile", "e2b-dockerfile-utils"],
)
def test_on_the_recorded_files_only_named_deviations_remain(
    nodes_of: Callable[[str], list[Node] | None],
    form: Callable[[Node], Node],
    excuse: Callable[[str], str | None],
) -> None:
    for text in every_line():
        if excuse(text) is None:
            nodes = our_nodes(text)
            assert (None if nodes is None else [form(one) for one in nodes]) == nodes_of(text), text
