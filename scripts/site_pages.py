"""Pages of the site that are made from the code and from files elsewhere in the repository."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pytest_zlayer.cli import make_parser

REPOSITORY = Path(__file__).parent.parent
SCHEMA = REPOSITORY / "pytest_zlayer" / "report" / "report.schema.json"

_COMMAND_LINE = """\
`pytest-zlayer` is the same as `python -m pytest_zlayer`. Exit codes: 0 done, 1 the build or check
failed, 2 usage or Dockerfile error, 3 no usable buildah."""
_SCHEMA = """\
What `--zlayer-report FILE.json` writes. The schema itself (JSON Schema) is shipped as
`pytest_zlayer/report/report.schema.json`. [Reports](../reports.md) explains how to write one."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs: adds the pages."""
    pages = {
        "changelog.md": (REPOSITORY / "CHANGELOG.md").read_text("utf-8"),
        "grammar.md": (REPOSITORY / "grammar" / "README.md").read_text("utf-8"),
        "reference/command-line.md": command_line(),
        "reference/report-schema.md": report_schema(),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs: notes for the tests of code blocks are not part of a page."""
    return re.sub(r"^<!--.*?-->\n", "", markdown, flags=re.MULTILINE | re.DOTALL)


def command_line() -> str:
    """All verbs with their help, as ``--help`` prints it."""
    parser = make_parser()
    parts = [
        "# Command line",
        _COMMAND_LINE,
        _help("pytest-zlayer", parser),
    ]
    (verbs,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001
    parts += [_help(f"pytest-zlayer {name}", verb) for name, verb in verbs.choices.items()]
    return "\n\n".join(parts) + "\n"


def _help(title: str, parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = _Wide
    return f"## {title}\n\n```text\n{parser.format_help().rstrip()}\n```"


class _Wide(argparse.HelpFormatter):
    """The same width on every machine."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=96)


def report_schema() -> str:
    """The JSON report, a table for each kind of object."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    parts = [
        "# Report schema",
        _SCHEMA,
        _object("The report", schema),
    ]
    parts += [
        _object(name, one)
        for name, one in sorted(schema.get("$defs", {}).items())
        if "properties" in one
    ]
    return "\n\n".join(parts) + "\n"


def _object(title: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(one)} | {'yes' if name in required else 'no'} | {_description(one)} |"
        for name, one in schema["properties"].items()
    ]
    text = schema.get("description", "")
    head = ["| field | type | always there | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {title}", "", *([text, ""] if text else []), *head, *rows])


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else kind


def _description(schema: dict[str, Any]) -> str:
    return schema.get("description", "").replace("|", "\\|")
