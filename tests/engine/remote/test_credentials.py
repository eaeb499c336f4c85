"""Where logins go, and the arguments of every call of skopeo."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

from pytest_zlayer.builder.model.cache_place import RegistryPlace
from tests.engine.building import write_files
from tests.engine.registry.secured import write_login
from tests.engine.registry.servers import PASSWORD, USER, Proxy, running_registry
from tests.engine.remote.conftest import STEPS, Machines, problems

_SHIM = """\
#!/bin/sh
echo "$@" >> {log}
exec {skopeo} "$@"
"""


def test_a_password_stands_nowhere_and_every_call_reads_the_registries_conf(
    machine: Machines, tmp_path: Path
) -> None:
    programs, log = tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    shim = programs / "skopeo"
    shim.write_text(_SHIM.format(log=log, skopeo=shutil.which("skopeo")))
    shim.chmod(0o755)
    context = write_files(tmp_path / "context", {"data": "hello\n"})
    data = tmp_path / "registry"
    data.mkdir()
    logs = tmp_path / "logs"
    with running_registry(data, login=True) as registry:
        proxy = Proxy(registry)
        place = RegistryPlace(f"{proxy.address}/team/zlayer")
        authfile = write_login(tmp_path / "auth.json", proxy.address, USER, PASSWORD)
        base = registry.put_image("team/base:1")
        conf = tmp_path / "registries.conf"
        conf.write_text('[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')
        said = []
        for ways in ({"cache_to": place}, {"cache_from": (place,), "cache_to": place}):
            one = machine()
            environment = {
                **one.storage.environment,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
                "CONTAINERS_REGISTRIES_CONF": str(conf),
            }
            with one.session(
                environment=environment, authfile=authfile, log_dir=logs, **ways
            ) as builds:
                builds.build(
                    f"FROM {proxy.address}/team/base:1 AS other\nCOPY data /\n"
                    + STEPS
                    + "COPY --from=other /data /other\n",
                    context,
                )
            assert problems(builds) == []
            said += [repr(event) for event in builds.events]
        assert base
        proxy.close()
    calls = log.read_text().splitlines()
    kinds = {word for call in calls for word in call.split() if word in KINDS}
    assert kinds == KINDS
    assert [call for call in calls if f"--registries-conf {conf}" not in call] == []
    canaries = (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
    written = [path for top in (data / "data", logs) for path in top.rglob("*") if path.is_file()]
    assert written
    texts = [*calls, *said, *(path.read_bytes().decode("latin-1") for path in written)]
    assert [text for text in texts if any(canary in text for canary in canaries)] == []


KINDS = {"list-tags", "inspect", "copy"}
