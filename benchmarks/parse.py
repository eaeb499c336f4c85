#!/usr/bin/env python3
"""How fast Dockerfiles are parsed, side by side with other parsers, and how time grows with size.

python benchmarks/parse.py [--rounds 7]

All parsers see the same files in the same run. ``e2b-dockerfile-utils`` and ``dockerfile-parse``
stop at lines of words; ``dockerfile`` is BuildKit's Go parser of some years ago; ours also builds
typed instructions with the place of every word.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import dockerfile as go_parser  # type: ignore[import-not-found]
import dockerfile_parse  # type: ignore[import-untyped]
import e2b_dockerfile_utils as port

from pytest_zlayer.dockerfile import DockerfileError, parse

_TYPICAL = (
    """\
# syntax=docker/dockerfile:1
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS base

# what the service needs at run time
RUN apt-get update \\
    && apt-get install -y --no-install-recommends curl git ca-certificates \\
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY --chown=app:app requirements.txt pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt
ENV PYTHONUNBUFFERED=1 PATH="/app/bin:$PATH"
EXPOSE 8080
CMD ["python", "-m", "app"]
""",
    """\
FROM debian:bookworm-slim

RUN apt-get update && apt-get install -y --no-install-recommends \\
      ca-certificates \\
      curl \\
      git \\
      gnupg \\
    && rm -rf /var/lib/apt/lists/*

# the script finds its configuration on its own, so that nothing has to be mounted
COPY docker-entrypoint.sh /usr/local/bin/

ENV LANG=C.UTF-8 PATH=/usr/local/app/bin:$PATH

# the service listens on the usual port of the web and runs as an ordinary user
CMD ["docker-entrypoint.sh", "serve", "--bind", "0.0.0.0:8080"]
""",
    """\
FROM golang:1.22 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /out/server ./cmd/server

FROM scratch
COPY --from=build /out/server /server
ENTRYPOINT ["/server"]
""",
)


def main() -> None:
    rounds = arguments().rounds
    print_load(rounds)
    print_speed(rounds)
    print_growth(rounds)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


# Words that mean nothing special are expanded without their grammar; this one needs it.
_LOAD = """
import time, pytest, lark, platformdirs
from pytest_zlayer.dockerfile.shell import expansion, word_lexer
from pytest_zlayer.dockerfile.parser import parse as parser
start = time.perf_counter()
parser.Parser.shared()
middle = time.perf_counter()
expansion.expand('"${a:-b}"', {})
print((middle - start) * 1e3, (time.perf_counter() - middle) * 1e3)
"""


def print_load(rounds: int) -> None:
    """The time until each grammar is ready in a fresh process, from the cache."""
    command = [sys.executable, "-c", _LOAD]
    # The first process fills the cache.
    _, *runs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(rounds + 1)
    ]
    times = [(float(file), float(word)) for file, word in runs]
    for name, each in (
        ("grammar of the file", [file for file, _ in times]),
        ("grammar of words and a first word", [word for _, word in times]),
        ("both grammars", [sum(both) for both in times]),
    ):
        print(f"{name}: {min(each):.1f} ms from the cache (median {median(each):.1f})")
    print()


def print_speed(rounds: int) -> None:
    size = sum(map(len, _TYPICAL))
    print(f"{len(_TYPICAL)} files, {size // len(_TYPICAL)} bytes on average")
    print(f"{'parser':<24}{'µs/file':>10}{'MB/s':>8}")
    for name, function in PARSERS.items():
        seconds = best(function, rounds)
        print(f"{name:<24}{seconds / len(_TYPICAL) * 1e6:>10.0f}{size / seconds / 1e6:>8.2f}")


def best(function: Callable[[str], object], rounds: int) -> float:
    """The shortest time for all files in seconds; many turns a round, to be above the clock."""
    times = []
    for _ in range(rounds):
        count, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < 0.1:
            for text in _TYPICAL:
                function(text)
            count += 1
        times.append(passed / max(count, 1))
    return min(times)


def parse_with_structure(text: str) -> object:
    return dockerfile_parse.DockerfileParser(fileobj=io.BytesIO(text.encode())).structure


PARSERS: dict[str, Callable[[str], object]] = {
    "pytest-zlayer": parse,
    "e2b-dockerfile-utils": port.parse_dockerfile_ast,
    "dockerfile (Go)": go_parser.parse_string,
    "dockerfile-parse": parse_with_structure,
}


def print_growth(rounds: int) -> None:
    """Twice the input must not take much more than twice the time."""
    print(f"\n{'input':<34}{'quarter':>10}{'half':>10}{'whole':>10}  ms")
    for name, (make, size) in GROWING.items():
        times = [once(make(size // part), rounds) for part in (4, 2, 1)]
        print(f"{name:<34}" + "".join(f"{seconds * 1e3:>10.1f}" for seconds in times))


def once(text: str, rounds: int) -> float:
    """The least processor time of a few tries in seconds: other work on the machine counts less."""
    times = []
    for _ in range(min(rounds, 3)):
        start = time.process_time()
        attempt(text)
        times.append(time.process_time() - start)
    return min(times)


def attempt(text: str) -> None:
    try:
        parse(text)
    except DockerfileError:
        return


GROWING: dict[str, tuple[Callable[[int], str], int]] = {
    "100,000 continuation lines": (lambda n: "FROM a\nRUN a \\\n" + " b \\\n" * n, 100_000),
    "5,000 instructions": (lambda n: "FROM a\n" + "RUN echo a b\n" * n, 5_000),
    "20,000 ENV pairs": (lambda n: "FROM a\nENV " + "a=b " * n, 20_000),
    "20,000 lines of a here-document": (lambda n: "FROM a\nRUN <<E\n" + "x y\n" * n + "E", 20_000),
    "1 MB RUN": (lambda n: "FROM a\nRUN " + "x" * n, 1_000_000),
    "500,000 words, with <<": (lambda n: "FROM a\nRUN cat <<E " + "x " * n + "\nE", 500_000),
    "200,000 quotes in a word": (lambda n: "FROM a\nENV a=" + "'\"" * n, 100_000),
    "200,000 quotes in a flag": (lambda n: "FROM a\nARG --a=" + "'\"" * n + " b", 100_000),
    "200,000 backslashes": (lambda n: 'FROM a\nENV a="' + "\\" * 2 * n + '"', 100_000),
    "50,000 nested ${, with <<": (lambda n: "FROM a\nRUN <<E " + "${a:-" * n + "}" * n, 50_000),
    "100,000 [": (lambda n: "FROM a\nCMD " + "[" * n + "]" * n, 100_000),
    "5,000 errors": (lambda n: "FROM a\n" + "FOO x\n" * n, 5_000),
}  # fmt: skip


if __name__ == "__main__":
    main()
