#!/usr/bin/env python3
"""Throw damaged Dockerfiles at the parser until time is up.

No input may raise anything but DockerfileError, take long, need memory out of proportion, or lose
an instruction on its way through the canonical form.

    python scripts/fuzz_parser.py --seconds 120 [--seed 1] [--memory-mib 1024]
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import sys
import time
import traceback
import tracemalloc
from collections import Counter
from pathlib import Path
from types import FrameType

from pytest_zlayer.dockerfile import Dockerfile, DockerfileError, parse

_VECTORS = Path(__file__).parent.parent / "tests" / "dockerfile" / "vectors" / "files.jsonl"
_PIECES = [
    "\\", "`", "\\\n", "`\n", "\n", "\r\n", "\r", "\t", " ", "\v", "\f", "\x1c", "\x85", "\u00a0",
    "\u2003", "\ufeff", "\0", "'", '"', "$", "${", "${a:-", "${a//", "}", "<<", "<<-", "<<EOF",
    "\nEOF\n", "#", "# escape=`\n", "# check=skip=all\n", "--", "--from=", "--mount=", "--x='",
    "[", "]", '["', '",', '"]', "[1]", "\\ud800", "\U0001f40b", "é", "=", "a=b ", ",", "FROM a\n",
    "RUN ", "COPY ", "ENV ", "ONBUILD ", "HEALTHCHECK CMD ", "SHELL ", "AS b", "\ud800",
]  # fmt: skip
_SECONDS_PER_INPUT = 5
_BYTES_PER_CHARACTER = 4_000
_BYTES_AT_LEAST = 8 << 20


class TooSlow(Exception):
    """One input took longer than it may."""


def main() -> int:
    options = arguments()
    limit = options.memory_mib << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGALRM, too_slow)
    chance = random.Random(options.seed)  # noqa: S311
    corpus = seeds()
    parse("FROM a")
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        text = mutated(chance, corpus)
        problem = attempt(text, outcomes, measured=outcomes.total() % 50 == 0)
        if problem is not None:
            print(f"{problem}\n{text!r}"[:20_000])
            return 1
    print(f"seed {options.seed}: {outcomes.total()} inputs, {dict(outcomes)}")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--memory-mib", type=int, default=1024)
    return parser.parse_args()


def seeds() -> list[str]:
    lines = _VECTORS.read_text(encoding="utf-8").splitlines()
    vectors = [json.loads(line) for line in lines]
    valid = [vector["text"] for vector in vectors if "error" not in vector]
    # Valid files are rare among the collected ones, and the only ones that reach the end.
    return [vector["text"] for vector in vectors] + valid * 8


def mutated(chance: random.Random, corpus: list[str]) -> str:
    """A text of the corpus, or two of them, with some damage."""
    text = chance.choice(corpus)
    if chance.random() < 0.3:
        text += chance.choice(corpus)
    for _ in range(chance.choice([0, 1, 1, 2, 3, 8])):
        start = chance.randint(0, len(text))
        end = start + chance.choice([0, 0, 0, 1, 2, chance.randint(0, 40)])
        piece = chance.choice([*_PIECES, text[: chance.randint(0, 30)], ""])
        times = chance.choice([1, 1, 1, 2, chance.randint(1, 300)])
        text = text[:start] + piece * times + text[end:]
    return text


def attempt(text: str, outcomes: Counter[str], *, measured: bool) -> str | None:
    """What is wrong with how one input is handled, or ``None``."""
    signal.alarm(_SECONDS_PER_INPUT)
    if measured:
        tracemalloc.start()
    try:
        outcome, dockerfile = parsed(text)
        peak = tracemalloc.get_traced_memory()[1] if measured else 0
        outcomes[outcome] += 1
        if peak > _BYTES_AT_LEAST + _BYTES_PER_CHARACTER * len(text):
            return f"{peak} bytes for {len(text)} characters"
        return lost(dockerfile) if dockerfile is not None else None
    except BaseException:  # noqa: BLE001 - whatever it is, it is what we look for
        return traceback.format_exc()
    finally:
        tracemalloc.stop()
        signal.alarm(0)


def parsed(text: str) -> tuple[str, Dockerfile | None]:
    try:
        return "valid", parse(text if len(text) % 2 else text.encode("utf-8", "surrogatepass"))
    except DockerfileError as error:
        str(error)
        return error.phase, None


def lost(dockerfile: Dockerfile) -> str | None:
    """Whether the canonical forms of all instructions, put together, say something else."""
    if not dockerfile.instructions:
        return None
    text = "\n".join([f"# escape={dockerfile.escape}", *map(str, dockerfile.instructions)])
    again = parse(text).instructions
    for one, other in zip(dockerfile.instructions, again, strict=True):
        if outline(one.to_dict()) != outline(other.to_dict()):
            return f"{one} became {other}"
    return None


def outline(node: dict[str, object]) -> dict[str, object]:
    """An instruction without its lines, and its trigger without the spelling of its keyword."""
    kept = {key: value for key, value in node.items() if key not in ("line", "end_line")}
    trigger = kept.get("trigger")
    return kept | ({"trigger": outline(trigger)} if isinstance(trigger, dict) else {})


def too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlow(f"signal {number} after {_SECONDS_PER_INPUT} s in {frame}")


if __name__ == "__main__":
    sys.exit(main())
