"""Runs the code blocks of a page of documentation, from the first to the last.

A block with a title is a file: it is written into the page's project. In a ``console`` block, lines
after ``$`` are typed into a shell that lives as long as the page, and what they print must be what
stands below them (a line ``...`` stands for any lines, ``…`` for any text of a line; times and ids
do not count). A command has to succeed unless the block says otherwise: ``<!-- exit: 1 -->``.
Python blocks without a title are test files of their own; all of a page run together. Dockerfiles
and configuration files without a title have to be valid. A block that is not run is marked:
``<!-- skip: next "reason" -->``. ``<!-- run: command -->`` prepares what a page assumes, and
``<!-- prints: command -->`` stands before a block that shows what this command prints.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import SkipTest
from xml.etree import ElementTree as ET

import yaml
from sybil import Document, Example, Region
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

from pytest_zlayer.dockerfile import parse

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FENCE = RawFencedCodeBlockLexer(re.compile(r"(?P<info>[^\n]*)\n"))
_EXIT = DirectiveInHTMLCommentLexer("exit", r"\d+")
_RUN = DirectiveInHTMLCommentLexer("run|prints")
_INFO = re.compile(r'(?P<language>[a-z]*)(?: title="(?P<title>[^"]+)")?')
_PREAMBLE = "import pytest\nfrom pytest_zlayer import *\n"
_VARYING = (
    (re.compile(r"\b(?:\d+\.\d+ ?s|\d+ min \d\d s)\b(?: \(\d+:\d\d:\d\d\))?"), "N s"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "ID"),
    (re.compile(r"={3,}"), "==="),
    (re.compile(r"_{3,}"), "___"),
    (re.compile(r"-{3,}"), "---"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"^\d\d:\d\d:\d\d\.\d{3}", re.MULTILINE), "TIME"),
    (re.compile(r"(?<= )\d\d:\d\d:\d\d\.\d{3}"), "TIME"),
)
_END = "END-OF-COMMAND"
_SKIPPED = ("next",)


class Page:
    """One page and the project in which its blocks run."""

    def __init__(self, path: Path, project: Path, environment: Mapping[str, str]) -> None:
        self.project = project
        self.environment = environment
        self._shell: subprocess.Popen[str] | None = None
        self._exit_code = 0
        self._printed: tuple[str, str] | None = None
        self._outcomes: dict[str, str] | None = None
        self.document = Document.parse(
            str(path), SkipParser(), self._exits, self._preparations, self._blocks
        )
        self.examples = list(self.document.examples())

    def run(self) -> None:
        """Every block.

        Raises:
            AssertionError: a block does not do what the page says; with its file and line.
        """
        try:
            for example in self.examples:
                self._evaluate(example)
        finally:
            self._close()

    def _evaluate(self, example: Example) -> None:
        place = f"{Path(example.path).name}:{example.line}"
        try:
            example.evaluate()
        except SkipTest:  # it is marked so
            pass
        except AssertionError as error:
            raise AssertionError(f"{place}: {error}") from None
        except Exception as error:
            raise AssertionError(f"{place}: {type(error).__name__}: {error}") from error

    # What is found on the page.

    def _exits(self, document: Document) -> Iterator[Region]:
        for region in _EXIT(document):
            region.parsed = int(region.lexemes["arguments"])
            region.evaluator = self._expect_exit
            yield region

    def _blocks(self, document: Document) -> Iterator[Region]:
        for region in _FENCE(document):
            region.parsed = (region.lexemes["info"], str(region.lexemes["source"]))
            region.evaluator = self._run_block
            yield region

    def _preparations(self, document: Document) -> Iterator[Region]:
        for region in _RUN(document):
            region.parsed = region.lexemes["arguments"]
            prints = region.lexemes["directive"] == "prints"
            region.evaluator = self._print if prints else self._prepare
            yield region

    def _prepare(self, example: Example) -> None:
        code, output = self._type(example.parsed)
        assert code == 0, f"{example.parsed}\n{output}"

    def _print(self, example: Example) -> None:
        self._printed = (example.parsed, self._type(example.parsed)[1])

    def _expect_exit(self, example: Example) -> None:
        self._exit_code = example.parsed

    # What is done with it.

    def _run_block(self, example: Example) -> None:
        info, source = example.parsed
        matched = _INFO.fullmatch(info.strip())
        assert matched, f"no such kind of block: {info}"
        language, title = matched["language"], matched["title"]
        if title:
            target = self.project / title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source, encoding="utf-8")
        if self._printed:
            (command, output), self._printed = self._printed, None
            _compare(command, source, output)
        elif language == "console":
            self._run_console(source)
        elif language == "python" and not title:
            self._run_python(example)
        else:
            _validate(language, source)

    def _run_console(self, source: str) -> None:
        expected_exit, self._exit_code = self._exit_code, 0
        parts = re.split(r"^\$ ", source, flags=re.MULTILINE)
        assert not parts[0].strip(), "a console block begins with a command"
        for number, part in enumerate(parts[1:], 1):
            command, expected = _command_and_output(part)
            code, output = self._type(command)
            last = number == len(parts) - 1
            wanted = expected_exit if last else 0
            assert code == wanted, f"$ {command}\n{output}\nexit code {code}"
            if expected:
                _compare(command, expected, output)

    def _type(self, command: str) -> tuple[int, str]:
        shell = self._shell = self._shell or subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert shell.stdin
        assert shell.stdout
        shell.stdin.write(f"{{ {command}\n}} < /dev/null\nprintf '%s %s\\n' {_END} $?\n")
        shell.stdin.flush()
        lines: list[str] = []
        for line in shell.stdout:
            before, found, code = line.partition(f"{_END} ")
            lines.append(before)
            if found:
                return int(code), "".join(lines)
        raise AssertionError(f"$ {command}\n{''.join(lines)}\nthe shell has ended")

    def _run_python(self, example: Example) -> None:
        if self._outcomes is None:
            self._outcomes = self._run_tests()
        failure = self._outcomes.get(f"test_line_{example.line}")
        assert not failure, failure

    def _run_tests(self) -> dict[str, str]:
        """All Python blocks of the page without a title; what failed, by module."""
        before = None
        for example in self.examples:
            if before != _SKIPPED and isinstance(example.parsed, tuple):
                info, source = example.parsed
                if info == "python":
                    module = self.project / f"test_line_{example.line}.py"
                    module.write_text(_PREAMBLE + source, encoding="utf-8")
            before = example.parsed[:1] if isinstance(example.parsed, tuple) else None
        results = self.project / "results.xml"
        argv = [sys.executable, "-m", "pytest", "-q", f"--junitxml={results}"]
        modules = sorted(one.name for one in self.project.glob("test_line_*.py"))
        done = subprocess.run(
            [*argv, "--continue-on-collection-errors", *modules],
            cwd=self.project,
            env=self.environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert results.exists(), done.stdout
        return dict(_failures(results))

    def _close(self) -> None:
        if self._shell is not None:
            self._shell.communicate()


def _failures(results: Path) -> Iterator[tuple[str, str]]:
    for case in ET.parse(results).iter("testcase"):  # noqa: S314 - made by pytest here
        for problem in (*case.findall("failure"), *case.findall("error")):
            name = case.get("classname") or case.get("name") or ""
            for module in re.findall(r"test_line_\d+", name)[:1]:
                yield module, problem.text or ""


def _command_and_output(part: str) -> tuple[str, str]:
    """A command, with the lines it goes on in, and what is shown below it."""
    lines = part.split("\n")
    end = 1
    while lines[end - 1].endswith("\\"):
        end += 1
    return "\n".join(lines[:end]), "\n".join(lines[end:]).strip("\n")


def _compare(command: str, expected: str, output: str) -> None:
    assert shown(expected.strip("\n"), output), (
        f"$ {command}\n--- expected\n{expected}\n--- printed\n{output}"
    )


def shown(expected: str, printed: str) -> bool:
    """Whether a page shows what was printed."""
    pattern = []
    for line in _normal(expected).split("\n"):
        if line.strip() == "...":
            pattern.append(r"(?:.*\n)*?")
        else:
            pattern.append(".*?".join(map(re.escape, line.split("…"))) + r"[ ]*\n")
    text = "\n".join(line.rstrip() for line in _normal(printed).strip("\n").split("\n")) + "\n"
    return re.fullmatch("".join(pattern), text) is not None


def _normal(text: str) -> str:
    for pattern, instead in _VARYING:
        text = pattern.sub(instead, text)
    return text


def _validate(language: str, source: str) -> None:
    if language == "dockerfile":
        parse(source)
    elif language == "yaml":
        yaml.safe_load(source)
    elif language == "json":
        json.loads(source)
    elif language == "toml":
        tomllib.loads(source)
    elif language == "python":
        compile(source, "block", "exec")
    else:
        assert language in ("", "text", "ini", "html", "console"), f"unknown language {language}"
