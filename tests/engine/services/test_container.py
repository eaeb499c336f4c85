"""What one command leaves running in a container is there for the next one."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from pytest_zlayer.buildah.errors import EngineTimeout
from pytest_zlayer.services.ports import claim_free_port
from tests.engine.building import building
from tests.engine.services.conftest import WEB, WRITING, session_environment
from tests.waiting import wait_until


@pytest.fixture(scope="module", params=["auto", "buildah", "chroot", "chroot without unshare"])
def web(request, shared_storage, tmp_path_factory):
    environment = session_environment(shared_storage)
    if "without" in request.param:
        programs = tmp_path_factory.mktemp("programs")
        for name in ("buildah", "newuidmap", "newgidmap"):
            (programs / name).symlink_to(shutil.which(name) or "/nothing")
        environment["PATH"] = str(programs)
    isolation = request.param.partition(" ")[0]
    with building(shared_storage.storage, isolation=isolation, environment=environment) as builds:
        yield builds.build(WEB)


@pytest.fixture
def container(web):
    with web.container() as made:
        yield made


@pytest.fixture
def port():
    """One of this machine, on whose network commands are: no other process takes it."""
    claim = claim_free_port()
    yield claim.value
    claim.release()


def wait_for(container, text):
    wait_until(lambda: text in container.logs(), text)


def test_a_started_server_answers_a_second_command(container, port):
    container.run(f"httpd -p 127.0.0.1:{port} -h /www")
    assert container.run(f"wget -qO- http://127.0.0.1:{port}/").stdout == "hello\n"
    assert "httpd" in container.run("ps", user="app").stdout


def test_files_that_a_command_writes_are_there_for_the_next(container):
    container.run("echo changed > /www/index.html; echo new > /www/new")
    assert container.run("cat /www/index.html /www/new").stdout == "changed\nnew\n"
    assert container.path("/www/new").read_text() == "new\n"


def test_what_it_writes_later_is_in_the_logs(container):
    later = "until test -e /go; do sleep 0.1; done; echo later; echo worse >&2"
    done = container.run(f"({later}) & echo now")
    assert done.stdout == "now\n"
    container.run("touch /go")
    wait_for(container, "later")
    wait_for(container, "worse")
    assert container.logs(stream="stdout") == "now\nlater\n"
    assert container.logs(stream="stderr") == "worse\n"
    assert container.logs(tail=0) == ""


def endings(container):
    return container.logs(stream="zlayer").splitlines()


def ended(number, command, how):
    """The line on its end: with its arguments, if it was seen while it ran."""
    program, _, arguments = command.partition(" ")
    return re.compile(rf"process {number} \({program}( {arguments})?\) ended: {how}")


def started(container, command):
    """The number of a process that is left running, once it is what it is to become."""
    number = container.run(f"{command} >/dev/null 2>&1 & echo $!").stdout.strip()
    wait_until_it_is(container, number, command)
    return number


def wait_until_it_is(container, number, command):
    seen = f"ps -o pid,args | grep '^ *{number} {command}'"
    wait_until(lambda: container.run(seen, check=False).exit_code == 0, command)


def test_the_exit_code_of_what_it_leaves_running_is_in_the_logs(container):
    command = "(until test -e /go; do sleep 0.1; done; echo bye; exit 7) &"
    container.run(command)
    container.run("touch /go")
    wait_for(container, "ended")
    (ending,) = endings(container)
    assert re.fullmatch(
        rf"process \d+ \(/bin/sh -c {re.escape(command)}\) ended: exit code 7", ending
    )
    assert container.logs(stream="stdout") == "bye\n"
    assert container.logs(stream="stderr") == ""
    (line,) = [one for one in container.log_lines() if one.stream == "zlayer"]
    assert line.text == ending
    age = datetime.now(timezone.utc) - datetime.fromisoformat(line.time)
    assert timedelta(0) <= age < timedelta(minutes=10)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_the_signal_that_ends_what_it_leaves_running_is_in_the_logs(container, name):
    number = started(container, "sleep 1000")
    container.run(["kill", f"-{name[3:]}", number])
    wait_for(container, "ended")
    (ending,) = endings(container)
    assert ended(number, "sleep 1000", f"killed by {name}").fullmatch(ending)


def test_what_a_shell_becomes_later_is_known_by_its_arguments(container):
    becoming = "(until test -e /go; do sleep 0.1; done; exec sleep 1000) >/dev/null 2>&1 &"
    other = "(until test -e /end; do sleep 0.1; done) >/dev/null 2>&1 &"
    number = container.run(f"{becoming} echo $!; {other}").stdout.strip()
    container.run("touch /go")
    wait_until_it_is(container, number, "sleep 1000")
    # Each command that ends has a look at what others have left; without unshare, what watches a
    # command has a look at all that it has left when one of them ends.
    container.run("touch /end")
    wait_for(container, "ended: exit code 0")
    container.run(["kill", number])
    wait_for(container, "SIGTERM")
    _, ending = endings(container)
    assert ending == f"process {number} (sleep 1000) ended: killed by SIGTERM"


def test_a_daemon_that_ends_while_its_command_runs_is_known_by_its_name(container):
    """It ends before anybody could have looked at it."""
    gone = "test -s /pid && ! kill -0 $(cat /pid) 2>/dev/null"
    container.run(f"(sh -c 'echo $$ > /pid; kill -SEGV $$' &); until {gone}; do sleep 0.1; done")
    wait_for(container, "ended")
    assert re.fullmatch(r"process \d+ \(sh\) ended: killed by SIGSEGV", *endings(container))


def test_as_an_ordinary_user_too(container):
    container.run("(sleep 0.2; exit 3) &", user="app")
    wait_for(container, "ended: exit code 3")


def test_what_a_command_waits_for_itself_is_its_own_affair(container):
    container.run("sh -c 'exit 5' & wait $!; (exit 6); true | false; echo done")
    number = started(container, "sleep 1000")
    container.run(["kill", number])
    wait_for(container, "ended")
    (ending,) = endings(container)
    assert ended(number, "sleep 1000", "killed by SIGTERM").fullmatch(ending)


def test_many_ends_are_all_told(container):
    container.run("for code in $(seq 1 40); do (sleep 0.3; exit $code) & done")
    wait_until(lambda: len(endings(container)) == 40, "the end of all")
    codes = {int(one.rpartition(" ")[2]) for one in endings(container)}
    assert codes == set(range(1, 41))


def test_what_the_end_of_the_container_kills_is_no_news(web):
    with web.container() as container:
        started(container, "sleep 1000")
        container.close()
        assert endings(container) == []
        # The next one begins anew.
        number = started(container, "sleep 2000")
        container.run(["kill", number])
        wait_for(container, "ended")
        (ending,) = endings(container)
        assert ended(number, "sleep 2000", "killed by SIGTERM").fullmatch(ending)


@pytest.mark.parametrize(("command", "stdout", "stderr"), WRITING)
def test_output_is_what_was_written_to_the_letter(web, container, command, stdout, stderr):
    for found in (container.run(command, check=False), web.run(command, check=False)):
        assert (found.stdout, found.stderr) == (stdout, stderr)


def test_its_end_can_be_waited_for_by_another_command(container):
    pid = container.run("sleep 1000 >/dev/null 2>&1 & echo $!").stdout.strip()
    assert container.run(["kill", "-0", pid], check=False).exit_code == 0
    container.run(["kill", "-9", pid])
    asked = ["kill", "-0", pid]
    wait_until(lambda: container.run(asked, check=False).exit_code != 0, "its end")


def test_a_command_that_takes_too_long_ends_alone(container):
    container.run("sleep 1000 >/dev/null 2>&1 &")
    with pytest.raises(EngineTimeout):
        container.run(["sleep", "2000"], timeout=0.5)
    running = container.run("ps").stdout
    assert "sleep 1000" in running
    assert "sleep 2000" not in running


def test_nothing_of_it_stays_in_the_files(container):
    container.run("true")
    assert not container.path("/dev/zlayer-wait").exists()


def test_what_is_left_running_ends_with_the_container(web):
    with web.container() as container:
        words = f"sleep {100_000 + os.getpid()}"  # other workers run this test too
        container.run(f"{words} >/dev/null 2>&1 &")
        wait_until(lambda: running(words), "the shell has become it")
    assert not running(words)


def running(words):
    wanted = f"{words.replace(' ', chr(0))}\0".encode()
    return [one for one in Path("/proc").glob("[0-9]*/cmdline") if read(one) == wanted]


def read(file):
    with suppress(OSError):
        return file.read_bytes()


def test_it_runs_as_buildah_would_have_it(web):
    """As every user; with an OCI runtime that is compared elsewhere."""
    script = "grep -E 'Cap|Groups' /proc/self/status; id; umask; pwd; ulimit -n; echo $HOME $PATH"
    for options in ({}, {"user": "app"}, {"user": "1234:5", "workdir": "/tmp"}):
        with web.container() as container:
            assert container.run(script, **options).stdout == web.run(script, **options).stdout


def test_a_command_that_cannot_be_started_has_the_status_of_a_shell(container):
    assert container.run(["no-such-program"], check=False).exit_code == 127
    assert container.run(["/www/index.html"], check=False).exit_code == 126
    assert container.run(["pwd"], workdir="/made/for/it").stdout == "/made/for/it\n"


def test_a_signal_that_ends_a_command_is_known(container):
    assert container.run("kill -9 $$", check=False).exit_code == 137


def test_networks_are_as_asked_for(container, request, port):
    if "without" in request.node.name:
        pytest.skip("without unshare nothing is cut off the network")
    container.run(f"httpd -p 127.0.0.1:{port} -h /www", network="none")
    ask = f"wget -qO- http://127.0.0.1:{port}/"
    assert container.run(ask, network="none").stdout == "hello\n"
    assert container.run(ask, check=False).exit_code != 0


def test_testinfra_looks_inside(container):
    host = container.testinfra()
    assert host.file("/www/index.html").content_string == "hello\n"
    assert host.file("/www/index.html").user == "root"
