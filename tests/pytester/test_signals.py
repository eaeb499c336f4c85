"""Signals: Ctrl-C, SIGTERM and SIGHUP end the run in order, with everything removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

TEST = """
    import pytest

    @pytest.mark.image(text="FROM scratch\\nRUN forever")
    def test_it(zlayer_image):
        pass
"""


def _run_and_signal(project, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "standin", "-p", "no:hypothesispytest"]
    with subprocess.Popen(
        command, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        while "waiting" not in project.builds() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, output)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 2), (signal.SIGTERM, 128 + 15), (signal.SIGHUP, 128 + 1)],
)
def test_a_signal_during_a_build_closes_the_session(project, number, code):
    project.pytester.makepyfile(TEST)
    done = _run_and_signal(project, number)
    assert done.returncode == code, done.stdout
    assert project.builds()[-1].startswith("closed")
    assert "no tests ran" in done.stdout


def test_a_signal_is_not_lost_in_code_that_nothing_can_be_raised_from(project):
    project.pytester.makepyfile("""
        import signal
        import weakref
        import pytest

        class Thing:
            pass

        @pytest.mark.image(text="FROM scratch")
        def test_first(zlayer_image):
            thing = Thing()
            reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
            del thing
            assert reference() is None

        def test_second():
            raise AssertionError("the run goes on")
    """)
    done = project.run_process()
    assert done.ret == 128 + signal.SIGTERM
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines("*the run was interrupted*")
    assert project.builds()[-1].startswith("closed")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 128 + 15)])
def test_a_signal_while_everything_is_removed_shows_no_traceback(project, number, code):
    project.pytester.makepyfile(TEST.replace("RUN forever", ""))
    command = [sys.executable, "-m", "pytest", "-p", "standin", "-p", "no:hypothesispytest"]
    done = subprocess.run(
        command, cwd=project.path, env={**os.environ, "STANDIN_SIGNAL": str(int(number))},
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_other_plugins_end_shows_no_traceback(project, number):
    project.pytester.makepyfile(TEST.replace("RUN forever", ""))
    project.pytester.makeconftest(f"""
        import os

        def pytest_sessionfinish():
            os.kill(os.getpid(), {int(number)})
    """)
    command = [sys.executable, "-m", "pytest", "-p", "standin", "-p", "no:hypothesispytest"]
    done = subprocess.run(
        command, cwd=project.path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 128 + number, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert f"zlayer: the run was ended by {number.name}" in done.stdout + done.stderr
    assert project.builds()[-1].startswith("closed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_are_given_back(project, number):
    before = signal.getsignal(number)
    project.pytester.makepyfile("""
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_image):
            pass
    """)
    project.run().assert_outcomes(passed=1)
    assert signal.getsignal(number) == before


def test_a_signal_that_somebody_else_handles_stays_theirs(project):
    project.pytester.makepyfile("""
        import os
        import signal
        import pytest

        received = []
        signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_image):
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == [signal.SIGTERM]
    """)
    project.run_process().assert_outcomes(passed=1)


def test_a_run_without_images_leaves_signals_alone(project):
    project.pytester.makepyfile("""
        import signal

        def test_it():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    """)
    project.run_process().assert_outcomes(passed=1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_dies_as_it_is_reported(project):
    project.pytester.makepyfile("""
        import os
        import signal
        import time
        import pytest

        @pytest.mark.image(text="FROM scratch")
        def test_it(zlayer_image):
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:
                os.write(writer, b"1")
                time.sleep(60)
                os._exit(0)
            os.read(reader, 1)  # Python forgets the signals that come while it makes a child
            os.kill(child, signal.SIGTERM)
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status)
            assert os.WTERMSIG(status) == signal.SIGTERM
    """)
    project.run_process().assert_outcomes(passed=1)
