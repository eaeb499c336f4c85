"""Further processes in a container that buildah itself runs: the agent starts them there."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from pytest_zlayer.buildah.process.agent_process import agent_argv
from pytest_zlayer.buildah.process.command import Detached, Request
from pytest_zlayer.buildah.run_request import RunRequest
from pytest_zlayer.buildah.runtime.direct import (
    Place,
    check_workdir,
    detached_request,
    read_text,
    refuse_own_container,
    write_bundle,
)
from pytest_zlayer.buildah.runtime.users import find_home, find_user
from pytest_zlayer.dataclass import dataclass


@dataclass(slots=True)
class Entrance:
    """One container in which a process runs.

    Attributes:
        beside: that process.
        tmpdir: where bundles are made; their names begin as those of buildah do.
        env: environment of what starts others.
    """

    beside: int
    tmpdir: Path
    env: Mapping[str, str]
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def prepare_more(self, run: RunRequest, place: Place) -> Request:
        """Another process in it.

        Raises:
            NotUnderstood: it would need another container.
            OSError: the bundle cannot be written.
        """
        refuse_own_container(run)
        workdir = run.workdir or "/"
        check_workdir(workdir, place)
        read: Callable[[str], str] = lambda path: read_text(place.files, path)  # noqa: E731
        user = find_user(run.user, read)
        bundle = self.tmpdir / f"buildah-{os.getpid()}-{self.beside}-{next(self._numbers)}"
        wanted = {
            "beside": self.beside,
            "pid_file": str(bundle / "pid"),
            "argv": list(run.argv),
            "env": {"HOME": find_home(user.uid, read), **run.hidden_env, **run.env},
            "cwd": workdir,
            "uid": user.uid,
            "gid": user.gid,
            "groups": list(user.groups),
        }
        write_bundle(bundle, json.dumps(wanted), {})
        detached = Detached(pid_file=str(bundle / "pid"), state="", remove=[], bundle=str(bundle))
        argv = agent_argv("enter", str(bundle / "config.json"))
        return detached_request(run, argv, self.env, detached, lasting=True)
