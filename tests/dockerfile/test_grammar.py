"""Loading grammars: where they are found, and a cache that can do no harm."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lark
import pytest
from lark import Lark

from pytest_zlayer.dockerfile import Dockerfile, DockerfileError, grammar, parse
from pytest_zlayer.dockerfile.grammar import grammar_text, load_grammar
from pytest_zlayer.dockerfile.parser.lexer import DockerfileLexer
from pytest_zlayer.dockerfile.parser.parse import Parser
from pytest_zlayer.errors import ZlayerError
from pytest_zlayer.waiting import in_background


def load(directory: Path) -> Parser:
    grammar._loaded.cache_clear()
    found = load_grammar(
        "dockerfile", start=("start", "line"), lexer=DockerfileLexer, cache_dir=directory
    )
    return Parser(found)


def works(parser: Parser) -> bool:
    return isinstance(parser.read("FROM a\nRUN b", None), Dockerfile)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A filled cache directory."""
    directory = tmp_path / "cache"
    load(directory)
    return directory


@pytest.fixture
def unpickled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was unpickled during the test."""
    seen: list[object] = []
    load_really = Lark.load

    def recorded(file: object) -> Lark:
        seen.append(file)
        return load_really(file)

    monkeypatch.setattr(Lark, "load", recorded)
    return seen


def cache_file(directory: Path) -> Path:
    (file,) = directory.iterdir()
    return file


def test_the_grammar_is_kept_where_only_we_can_write(cache: Path) -> None:
    assert cache.stat().st_mode & 0o777 == 0o700
    assert cache_file(cache).stat().st_mode & 0o777 == 0o600
    assert cache_file(cache).name.startswith("dockerfile-")


def test_a_kept_grammar_is_used(cache: Path, unpickled: list[object]) -> None:
    assert works(load(cache))
    assert len(unpickled) == 1


@pytest.mark.parametrize(
    "damaged",
    [
        lambda data: data[:0],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"x" + data[1:],
        lambda data: data + b"x",
    ],
    ids=["empty", "cut off", "one bit", "other header", "longer"],
)
def test_a_damaged_file_is_replaced(
    cache: Path, damaged: Callable[[bytes], bytes], unpickled: list[object]
) -> None:
    file = cache_file(cache)
    bad = damaged(file.read_bytes())
    file.write_bytes(bad)
    assert works(load(cache))
    assert unpickled == []
    assert file.read_bytes() != bad


def test_a_stale_pickle_is_replaced(cache: Path) -> None:
    file = cache_file(cache)
    payload = b"\x80\x04N."
    header = b"pytest-zlayer grammar 1\n" + hashlib.sha256(payload).digest()
    file.write_bytes(header + payload)
    assert works(load(cache))


@pytest.mark.parametrize("mode", [0o622, 0o606])
def test_a_file_that_others_can_write_is_not_trusted(
    cache: Path, mode: int, unpickled: list[object]
) -> None:
    cache_file(cache).chmod(mode)
    assert works(load(cache))
    assert unpickled == []


def test_a_directory_that_others_can_write_is_not_trusted(
    cache: Path, unpickled: list[object]
) -> None:
    cache.chmod(0o777)
    assert works(load(cache))
    assert unpickled == []


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_a_file_of_somebody_else_is_not_trusted(
    cache: Path, unpickled: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert works(load(cache))
    assert unpickled == []


def test_a_link_is_not_followed(cache: Path, unpickled: list[object]) -> None:
    file = cache_file(cache)
    target = cache.parent / "elsewhere"
    file.rename(target)
    file.symlink_to(target)
    assert works(load(cache))
    assert unpickled == []
    assert not file.is_symlink()


def test_without_a_cache_it_still_works(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert works(load(blocked / "cache"))
    assert blocked.read_text() == ""


def test_nothing_half_written_is_left(cache: Path) -> None:
    assert [one.name for one in cache.iterdir() if one.name.startswith(".")] == []


def test_another_version_of_lark_has_another_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lark, "__version__", "0")
    load(cache)
    assert len(list(cache.iterdir())) == 2


def test_a_dialect_has_another_file(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    load(tmp_path / "cache")
    load_grammar(
        "dockerfile",
        start=("start", "line"),
        lexer=DockerfileLexer,
        replace=(("WORKDIR _flags", "WORKDIR"),),
        cache_dir=tmp_path / "cache",
    )
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_grammar_is_loaded_once() -> None:
    options = {"start": ("start", "line"), "lexer": DockerfileLexer}
    first = load_grammar("dockerfile", **options)
    assert load_grammar("dockerfile", **options) is first


def test_threads_that_meet_load_a_grammar_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = [threading.Event(), threading.Event()]
    calls = iter(entered)
    from_cache = grammar._from_cache

    def waiting(file: Path) -> Any:
        next(calls).set()
        entered[1].wait(0.5)  # for the other thread, which must not come
        return from_cache(file)

    monkeypatch.setattr(grammar, "_from_cache", waiting)
    options = {"start": ("start", "line"), "lexer": DockerfileLexer, "cache_dir": tmp_path}
    first = in_background(lambda: load_grammar("dockerfile", **options), "first")
    assert entered[0].wait(90)
    second = in_background(lambda: load_grammar("dockerfile", **options), "second")
    assert first.result(90) is second.result(90)
    assert not entered[1].is_set()


def test_a_missing_grammar_is_reported() -> None:
    with pytest.raises(ZlayerError) as reported:
        grammar_text("nonsense")
    assert reported.value.message.startswith("the grammar nonsense.lark is missing (looked in ")
    assert reported.value.hint == "reinstall pytest-zlayer"


def test_importing_the_room_loads_no_lark() -> None:
    code = "import sys, pytest_zlayer.dockerfile; print('lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_expressions_of_the_grammar_reach_the_lexer_undamaged() -> None:
    found = load_grammar("dockerfile", start=("start", "line"), lexer=DockerfileLexer)
    patterns = {one.name: re.compile(one.pattern.to_regexp()) for one in found.terminals}
    words = patterns["PAIR"].findall("""a\\ b "c\\" d"e 'f\\' g""")
    assert words == ["a\\ b", """"c\\" d"e""", "'f\\'", "g"]
    assert patterns["FLAG"].match("--a='b\\'c' d")[0] == "--a='b\\'c'"  # type: ignore[index]
    assert patterns["WORD"].findall("a\tb\u00a0c\vd") == ["a", "b\u00a0c", "d"]


def test_threads_share_the_parser() -> None:
    good = "".join(f"FROM a AS s{n}\nRUN echo {n}\n" for n in range(50))

    def outcome(number: int) -> int:
        if number % 3:
            return len(parse(good).instructions)
        with pytest.raises(DockerfileError):
            parse(f"FROM a\nCPOY {number}")
        return 100

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(outcome, range(60))) == {100}
