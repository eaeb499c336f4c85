"""What RUN steps do to each other's files, at random: the layers must tell all of it."""

from __future__ import annotations

import random

import pytest

from .case import Case
from .test_conformance import fail_if_any, reference_differences
from .workbench import Workbench

_NAMES = ("a", "b", "c")
_COMMANDS = (
    "mkdir -p {0}",
    "rm -rf {0}",
    "rm -rf {0} && mkdir -p {0}",
    "rm -rf {0} && mkdir -p {0} && echo {n} > {0}/{name}",
    "mkdir -p {parent} && rm -rf {0} && echo {n} > {0}",
    "[ -d {0} ] && cp -a {0} {1}",
    "mv {0} {1}",
    "[ -f {0} ] && ln {0} {1}",
    "ln -sfn {1} {0}",
    "[ -f {0} ] && echo {n} >> {0}",
    "chmod 7{n} {0}",
    "chown {n}:{n} {0}",
    "touch -d @{n}00000000 {0}",
    "mkfifo {0}",
)
_EXISTING = ("/etc/passwd", "/etc/group", "/home", "/home/app", "/tmp")


def command(chance: random.Random) -> str:
    """One thing a RUN may do; where it makes no sense nothing happens."""
    paths = [
        chance.choice(_EXISTING)
        if chance.random() < 0.2
        else "/x/" + "/".join(chance.choices(_NAMES, k=chance.randint(1, 3)))
        for _ in range(2)
    ]
    return chance.choice(_COMMANDS).format(
        *paths,
        n=chance.randint(1, 7) * 11,
        name=chance.choice(_NAMES),
        parent=paths[0].rpartition("/")[0] or "/",
    )


def dockerfile(seed: int) -> str:
    """Some RUN steps that make, change, move, link and remove the same few files."""
    chance = random.Random(seed)
    steps = ["FROM bb", "RUN mkdir /x"]
    for _ in range(chance.randint(3, 6)):
        if chance.random() < 0.2:
            steps.append("COPY . /x/" + chance.choice(_NAMES) + "/")
        commands = [f"{command(chance)} 2> /dev/null" for _ in range(chance.randint(1, 5))]
        steps.append("RUN " + "; ".join([*commands, "true"]))
    return "\n".join(steps) + "\n"


@pytest.mark.parametrize("seed", range(12))
def test_random_changes_are_those_of_buildah(seed: int, workbench: Workbench) -> None:
    context = {"a": "from the context", "b/c": "too"}
    case = Case(f"random changes {seed}", dockerfile(seed), context)
    place = workbench.prepare(case)
    image = workbench.build(case, place).id
    reference = workbench.build_reference(case, place)
    found = list(reference_differences(workbench, image, reference))
    fail_if_any(f"what buildah builds from\n{case.text}\n", map(str, found))
