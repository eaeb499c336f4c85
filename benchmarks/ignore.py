"""How fast ignore files are matched: 100,000 paths against 200 patterns.

Run with ``python benchmarks/ignore.py``; the package ``e2b-dockerfile-utils`` is measured on the
same input when it is installed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable

from pytest_zlayer.dockerfile.ignore.rules import IgnoreRules, IgnoreState

PATHS = 100_000
WORDS = """api app assets bin build cache client common config core css data db dist docs etc
examples fixtures helpers img index js lib main migrations models node_modules public scripts server
src static styles templates tests tmp tools utils vendor views web""".split()  # noqa: SIM905
ENDINGS = [".py", ".js", ".css", ".md", ".txt", ".json", ".go", ".pyc", ".log", ".o", ""]


def make_paths(rng: random.Random) -> list[str]:
    """File paths as they occur in a context, sorted as a walk finds them."""
    folders = [""]
    while len(folders) < PATHS // 20:
        parent = rng.choice(folders)
        if parent.count("/") < 7:
            folders.append(f"{parent}{rng.choice(WORDS)}{rng.randrange(30) or ''}/")
    names = (f"{rng.choice(folders)}{rng.choice(WORDS)}{rng.randrange(99)}" for _ in range(PATHS))
    return sorted(name + rng.choice(ENDINGS) for name in names)


def typical(rng: random.Random) -> list[str]:
    """What ignore files are made of: names, endings, folders, some exceptions."""
    forms: list[Callable[[], str]] = [
        lambda: f"**/{rng.choice(WORDS)}{rng.randrange(30)}",
        lambda: f"**/*{rng.choice(WORDS)}.log",
        lambda: f"{rng.choice(WORDS)}/{rng.choice(WORDS)}{rng.randrange(30)}",
        lambda: f"{rng.choice(WORDS)}{rng.randrange(30)}/*.{rng.choice(WORDS)}",
        lambda: f"{rng.choice(WORDS)}{rng.randrange(30)}/**",
        lambda: f"!{rng.choice(WORDS)}/{rng.choice(WORDS)}/{rng.choice(WORDS)}.py",
        lambda: f"*.{rng.choice(WORDS)}",
    ]
    return [rng.choice(forms)() for _ in range(200)]


def nasty(rng: random.Random) -> list[str]:
    """Wildcards in every element, so that nothing can be looked up."""
    return [
        f"{'!' if rng.random() < 0.2 else ''}**/{rng.choice(WORDS)[:3]}*/**/?{rng.choice(WORDS)}*"
        for _ in range(200)
    ]


def walk(rules: IgnoreRules, paths: Iterable[str]) -> int:
    """Match as a walk does: each folder once, its entries from its state."""
    states: dict[str, IgnoreState] = {"": rules.root()}

    def state(folder: str) -> IgnoreState:
        if folder not in states:
            parent, _, name = folder.rpartition("/")
            states[folder] = state(parent).child(name)[1]
        return states[folder]

    excluded = 0
    for path in paths:
        folder, _, name = path.rpartition("/")
        excluded += state(folder).child(name)[0]
    return excluded


def timed(label: str, action: Callable[[], int]) -> None:
    begin = time.perf_counter()
    excluded = action()
    seconds = time.perf_counter() - begin
    print(f"  {label:<22} {seconds:6.2f} s  {seconds / PATHS * 1e6:6.2f} µs a path"
          f"  {excluded:6d} excluded")  # fmt: skip


def measure(title: str, paths: list[str], patterns: list[str]) -> None:
    print(f"{title}: {len(paths)} paths, {len(patterns)} patterns")
    text = "\n".join(patterns)
    timed("excludes()", lambda: sum(map(IgnoreRules.parse(text).excludes, paths)))
    timed("walk", lambda: walk(IgnoreRules.parse(text), paths))
    try:
        from e2b_dockerfile_utils import dockerignore
    except ImportError:
        return
    other = dockerignore.PatternMatcher(patterns).matches
    few = paths[:: max(1, PATHS // 1000)]
    begin = time.perf_counter()
    for path in few:
        other(path)
    seconds = (time.perf_counter() - begin) / len(few)
    print(f"  e2b-dockerfile-utils          {seconds * 1e6:6.2f} µs a path (every 100th path)")


def main() -> None:
    rng = random.Random(1)
    paths = make_paths(rng)
    measure("typical", paths, typical(rng))
    measure("nasty", paths, nasty(rng))


if __name__ == "__main__":
    main()
