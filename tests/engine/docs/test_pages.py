"""What is true of all pages: how few blocks are not run, and what their files are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.docs.conftest import DOCS
from tests.engine.docs.pages import Page, shown

TEXTS = {
    path.relative_to(DOCS.parent).as_posix(): path.read_text("utf-8")
    for path in (DOCS.parent / "README.md", *DOCS.rglob("*.md"))
}
NOT_RUN_AT_MOST = 17


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    skips = re.findall(r"<!-- skip:(.*)-->", "\n".join(TEXTS.values()))
    assert [one for one in skips if not re.fullmatch(r' next ".{15,}" ', one)] == []
    assert len(skips) <= NOT_RUN_AT_MOST


def commands_in_blocks_without_a_language() -> Iterator[str]:
    for name, text in TEXTS.items():
        for block in re.findall(r"^```(?:text)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if re.match(r"\$ |(pytest|pytest-zlayer|python) [a-z.-]", block):
                yield f"{name}: {block.splitlines()[0]}"


def test_commands_are_in_console_blocks() -> None:
    assert list(commands_in_blocks_without_a_language()) == []


@pytest.mark.parametrize(
    ("schema", "folder"),
    [("github-workflows", ".github/workflows/"), ("gitlab-ci", "")],
)
def test_workflows_are_what_the_ci_service_expects(
    schema: str, folder: str, tmp_path: Path
) -> None:
    titles = r'^```yaml title="([^"]+)"\n(.*?)^```$'
    found = re.findall(titles, TEXTS["docs/howto/ci.md"], re.MULTILINE | re.DOTALL)
    files = []
    for number, (title, source) in enumerate(found):
        if (title.startswith(".github/")) == bool(folder):
            files.append(tmp_path / f"{number}.yml")
            files[-1].write_text(source)
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*argv, *files], check=False, capture_output=True, text=True)
    assert len(files) == 2
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        ("a\n...\nc", "a\nb\nb\nc\n"),
        ("...\n=== 2 passed in 1.0s ===", "x\n======= 2 passed in 12.34s ========\n"),
        ("built …", "built 12 layers\n"),
        ("=== 2 passed in 1.0s ===", "=== 2 passed in 61.23s (0:01:01) ===\n"),
        ("1 built in 0.5 s; nothing left", "1 built in 1 min 40 s; nothing left\n"),
    ],
)
def test_a_page_shows_what_is_printed(expected: str, printed: str) -> None:
    assert shown(expected, printed)


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        ("a\n...\nc", "a\nb\n"),
        ("2 passed in 1.0s", "3 passed in 1.0s\n"),
        ("a", "a\nb\n"),
    ],
)
def test_a_page_does_not_show_something_else(expected: str, printed: str) -> None:
    assert not shown(expected, printed)


RIGHT = """\
<!-- skip: next "it would fail, and is not run" -->
```console
$ false
```

<!-- run: echo prepared > file -->
```console
$ cat file; export NAME=kept
prepared
$ echo $NAME; echo left out; echo 1.25 s
kept
...
3.50 s
```

<!-- exit: 3 -->
```console
$ (exit 3)
```

<!-- prints: echo wrong; false -->
```text
wrong
```

```text title="folder/name"
content
```

```console
$ cat folder/name | cat
content
```
"""


def run_page(folder: Path, text: str) -> None:
    page = folder / "page.md"
    page.write_text(text)
    Page(page, folder, dict(os.environ)).run()


def test_what_a_page_says_is_done(tmp_path: Path) -> None:
    run_page(tmp_path, RIGHT)


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo a\nb\n```\n",
        "```console\n$ false\n```\n",
        "<!-- exit: 1 -->\n```console\n$ true\n```\n",
        "<!-- prints: echo a -->\n```\nb\n```\n",
        "<!-- run: false -->\n",
        "```dockerfile\nFROMM x\n```\n",
        "```yaml\n{\n```\n",
        "```rust\nx\n```\n",
        "```console\n$ exit 0\n```\n",
    ],
)
def test_what_a_page_says_wrongly_is_found(text: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"^page\.md:\d+: "):
        run_page(tmp_path, text)
