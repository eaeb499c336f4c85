"""What is found out of a real podman, and how long that is believed."""

from __future__ import annotations

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from pytest_zlayer.buildah.agent.short_path import LONGEST_PATH, short_links
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.services.errors import ServiceError
from pytest_zlayer.services.podman.probe import find_podman, probe
from tests.engine.building import building
from tests.engine.services.conftest import WEB, needs_podman, session_environment
from tests.waiting import wait_until

pytestmark = needs_podman
PODMAN = """#!/bin/sh
case " $* " in
*" {verb} "*) if [ -e {flag} ]; then echo $$ > {began}; exec sleep 600; fi ;;
esac
exec {real} "$@"
"""
FAILING = """#!/bin/sh
case " $* " in
*" run "*) echo Error: out of order >&2; exit 125 ;;
esac
exec {real} "$@"
"""


@pytest.mark.parametrize("end", ["interrupt", "kill"])
@pytest.mark.parametrize("verb", ["info", "run"])
def test_what_was_not_found_out_is_not_remembered(service_storage, tmp_path, verb, end):
    (tmp_path / "bin").mkdir()
    flag, began = tmp_path / "flag", tmp_path / "began"
    flag.touch()
    script = tmp_path / "bin" / "podman"
    real = shutil.which("podman")
    script.write_text(PODMAN.format(verb=verb, flag=flag, began=began, real=real))
    script.chmod(0o755)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    environment = {**service_storage.environment, "PATH": path}
    with closing(service_storage.storage.open(environment=environment)) as engine:
        podman = find_podman(engine)
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(probe, podman)
            wait_until(lambda: began.exists() and began.read_text().endswith("\n"), "it is asked")
            if end == "interrupt":
                engine.interrupt()
                with pytest.raises(EngineError, match="interrupted"):
                    found.result()
            else:
                os.kill(int(began.read_text()), signal.SIGKILL)
                assert found.result().why_not
        flag.unlink()
        assert probe(podman).why_not == ""
        podman.runroot.release()


def test_what_did_not_work_is_tried_again_by_the_next_session(service_storage, tmp_path):
    (service_storage.storage.root / "zlayer" / "podman-answers.json").unlink()
    configuration = tmp_path / "containers.conf"
    environment = {**service_storage.environment, "CONTAINERS_CONF": str(configuration)}

    def reason(session):
        opened = service_storage.storage.open(environment=environment, session=session)
        with closing(opened) as engine:
            podman = find_podman(engine)
            verdict = probe(podman)
            podman.runroot.release()
        return verdict.why_not

    configuration.write_text('[engine]\nruntime = "no-such-runtime"\n')
    assert "no-such-runtime" in reason("first")
    configuration.write_bytes(service_storage.configuration.read_bytes())
    assert "no-such-runtime" in reason("first")
    assert reason("next") == ""


def test_a_podman_that_runs_no_containers_leaves_no_link(service_storage, tmp_path):
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "podman"
    script.write_text(FAILING.format(real=shutil.which("podman")))
    script.chmod(0o755)
    environment = session_environment(service_storage)
    environment["PATH"] = f"{tmp_path}/bin:{os.environ['PATH']}"
    links = short_links(str(service_storage.storage.runroot))
    with building(service_storage.storage, environment=environment) as builds:
        refused = pytest.raises(ServiceError, match="podman cannot run containers here")
        with refused, builds.build(WEB).serve(engine="podman"):
            pass
        assert len(str(service_storage.storage.runroot)) > LONGEST_PATH
        assert [link for link in links if os.path.lexists(link)] == []
