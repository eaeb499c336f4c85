"""Plays the CI jobs of this example on one machine, each with a container storage of its own.

    python play.py [github] [gitlab] [kubernetes]

What the jobs run is read from their files, without the parts that install things. The place is a
docker-registry on loopback. It fails when a job fails, or when one of the tests had to run a step.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
REGISTRY = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: "{data}"}}}}
http: {{addr: "{address}"}}
"""
LOOPBACK = '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n'


@contextmanager
def registry(directory: Path) -> Iterator[str]:
    """A registry; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = directory / "registry.yml"
    configuration.write_text(REGISTRY.format(data=directory / "registry", address=address))
    program = shutil.which("docker-registry") or "registry"
    process = subprocess.Popen(
        [program, "serve", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(address.partition(":")[2]))) == 0:
                    break
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


class Machines:
    """Makes machines and runs jobs on them."""

    def __init__(self, directory: Path, address: str) -> None:
        self.directory = directory
        self.place = f"{address}/example/zlayer"
        self.count = 0
        self.conf = directory / "registries.conf"
        self.conf.write_text(LOOPBACK)

    def run(self, name: str, script: str, **variables: str) -> Path:
        """Run a job in a fresh checkout; the checkout."""
        self.count += 1
        machine = self.directory / f"machine-{self.count}"
        checkout = machine / "checkout"
        left_out = shutil.ignore_patterns("rootfs.tar", "__pycache__", ".pytest_cache")
        shutil.copytree(HERE, checkout, ignore=left_out)
        (machine / "tmp").mkdir()
        kept = {key: one for key, one in os.environ.items() if not key.startswith("PYTEST")}
        environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(machine / "tmp"),
            "XDG_CACHE_HOME": str(machine / "cache"),
            "CONTAINERS_REGISTRIES_CONF": str(self.conf),
            "ZLAYER_ROOT": str(machine / "root"),
            "ZLAYER_RUNROOT": str(machine / "runroot"),
            "PLACE": self.place,
            **variables,
        }
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=checkout,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            print(done.stdout)
            sys.exit(f"{name} failed with {done.returncode}")
        ran = steps_run(checkout / "report.json")
        said = [line for line in done.stdout.splitlines() if "cache place" in line]
        print(f"{name}: done, {ran} steps run", *said, sep="\n  ")
        return checkout

    def test(self, name: str, script: str, **variables: str) -> None:
        """Run a job of tests, for which every image is there already."""
        checkout = self.run(name, script, **variables)
        if ran := steps_run(checkout / "report.json"):
            sys.exit(f"{name}: {ran} steps were run, and all should have been fetched")

    def remove(self) -> None:
        """Undo what storages have mounted."""
        for number in range(1, self.count + 1):
            overlay = self.directory / f"machine-{number}" / "root" / "overlay"
            silent = subprocess.DEVNULL
            subprocess.run(["umount", "--lazy", str(overlay)], check=False, stderr=silent)


def steps_run(report: Path) -> int:
    """How many steps a job has run, by its report; 0 where it has none."""
    if not report.exists():
        return 0
    builds = json.loads(report.read_bytes())["builds"]
    steps = [step for one in builds for stage in one["stages"] for step in stage["steps"]]
    return sum(step["state"] not in ("cached", "stopped") for step in steps)


def github(machines: Machines) -> None:
    """The jobs of the workflow, in the order of their needs."""
    jobs = read(".github/workflows/tests.yml")["jobs"]

    def script(job: str) -> str:
        return "\n".join(
            step["run"] for step in jobs[job]["steps"] if "run" in step and "name" not in step
        )

    checkout = machines.run("github plan", script("plan"), GITHUB_OUTPUT="output")
    _, _, groups = (checkout / "output").read_text().strip().partition("=")
    for group in json.loads(groups):
        machines.run(f"github images {group}", script("images"), GROUP=group)
    shards = jobs["tests"]["strategy"]["matrix"]["shard"]
    for shard in shards:
        variables = {"SHARD": str(shard), "SHARDS": str(len(shards))}
        machines.test(f"github tests {shard}", script("tests"), **variables)


def gitlab(machines: Machines) -> None:
    """The stages of the pipeline."""
    jobs = read(".gitlab-ci.yml")
    machines.run("gitlab images", "\n".join(jobs["images"]["script"]))
    total = jobs["tests"]["parallel"]
    for number in range(1, total + 1):
        variables = {"CI_NODE_INDEX": str(number), "CI_NODE_TOTAL": str(total)}
        machines.test(f"gitlab tests {number}", "\n".join(jobs["tests"]["script"]), **variables)


def kubernetes(machines: Machines) -> None:
    """The pods of the Job, and before them the one that builds."""
    options = '--zlayer-cache-to="$PLACE" --zlayer-cache-push-timeout=600'
    machines.run("kubernetes images", f"pytest --zlayer-prebuild=only {options}")
    job = read("kubernetes-job.yaml")["spec"]
    (container,) = job["template"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"] if one["name"] != "PLACE"}
    for index in range(job["completions"]):
        machines.test(
            f"kubernetes pod {index}",
            container["args"][0],
            JOB_COMPLETION_INDEX=str(index),
            **variables,
        )


def read(name: str) -> Mapping[str, Any]:
    """A YAML file of the example."""
    found: Mapping[str, Any] = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return found


KINDS: Mapping[str, Callable[[Machines], None]] = {
    "github": github,
    "gitlab": gitlab,
    "kubernetes": kubernetes,
}


def main() -> None:
    """Play those that are named, or all."""
    directory = Path(tempfile.mkdtemp(prefix="zlayer-ci-"))
    try:
        with registry(directory) as address:
            machines = Machines(directory, address)
            try:
                for name in sys.argv[1:] or KINDS:
                    KINDS[name](machines)
            finally:
                machines.remove()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
