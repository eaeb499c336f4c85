"""The first process of a container that stays."""

from __future__ import annotations

import signal
import subprocess

from pytest_zlayer.buildah.process.agent_process import agent_argv

# It is asked to end, by its child, before it can have begun to wait.
ASKED = """
trap 'exit 3' TERM
grep SigCgt /proc/$PPID/status
kill -TERM $PPID
while :; do sleep 0.05; done
"""


def test_sigterm_that_comes_before_it_waits_is_passed_on() -> None:
    argv = agent_argv("init", "", "sh", "-c", ASKED)
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=90, check=False)
    assert done.returncode == 3
    # A handler would run only after the wait that it comes just before.
    handled = int(done.stdout.split()[1], 16)
    assert not handled >> (signal.SIGTERM - 1) & 1
