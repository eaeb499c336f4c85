"""The whole way: a test declares an image, buildah builds it, the test looks inside."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.building import write_files
from tests.engine.conftest import BUSYBOX, Storage, add_busybox
from tests.engine.project import Project
from tests.waiting import PATIENCE, wait_until

DOCKERFILE = f"""\
FROM {BUSYBOX} AS builder
ARG WHO=nobody
RUN echo "hello $WHO" > /hello
FROM {BUSYBOX} AS unused
RUN exit 9
FROM {BUSYBOX}
COPY --from=builder /hello /srv/hello
USER app
CMD ["cat", "/srv/hello"]
"""


@pytest.fixture
def project(own_storage: Storage, tmp_path: Path) -> Project:
    """A project with a Dockerfile of three stages, in a storage with nothing but busybox."""
    add_busybox(own_storage, tmp_path / "busybox")
    folder = write_files(tmp_path / "project", {"api/Dockerfile": DOCKERFILE})
    return Project(folder, own_storage)


def test_a_marker_is_enough(project: Project) -> None:
    before = project.storage.leftovers()
    test = """
import pytest

@pytest.mark.image("api", build_args={"WHO": "you"})
def test_run(zlayer_image):
    assert zlayer_image.run().stdout == "hello you\\n"
    assert zlayer_image.run(["id", "-un"]).stdout == "app\\n"
    assert zlayer_image.config.user == "app"

@pytest.mark.image("api", matrix={"WHO": ["a", "b"]})
def test_matrix(zlayer_image, zlayer_matrix):
    assert zlayer_image.path("/srv/hello").read_text() == f"hello {zlayer_matrix['WHO']}\\n"

@pytest.mark.image("api", name="last")
@pytest.mark.image("api", name="builder", target="builder")
def test_images(zlayer_images):
    assert zlayer_images["last"].config.cmd == ("cat", "/srv/hello")
    assert zlayer_images["builder"].path("/hello").exists()

@pytest.mark.image("api")
def test_container(zlayer_container):
    zlayer_container.run(["sh", "-c", "echo here > /tmp/here"])
    assert zlayer_container.path("/tmp/here").read_text() == "here\\n"

def test_build(zlayer_build, zlayer_engine):
    image = zlayer_build("api", target="builder")
    assert image.id == zlayer_build("api", target="builder").id
    assert zlayer_engine.storage.driver == "overlay"
"""
    write_files(project.folder, {"test_it.py": test})
    output = project.pytest()
    assert "6 passed" in output
    assert "zlayer: api: builder 2/2 RUN echo" in output
    assert project.storage.leftovers() == before
    assert project.storage.image_names() == [BUSYBOX]


def test_a_failing_step_is_reported_in_the_report_of_the_test(project: Project) -> None:
    text = f"FROM {BUSYBOX}\nRUN echo out; echo err >&2; \\\n    exit 7\n"
    test = "import pytest\n@pytest.mark.image('bad')\ndef test_it(zlayer_image): pass\n"
    write_files(project.folder, {"bad/Dockerfile": text, "test_it.py": test})
    output = project.pytest(code=1)
    report = output.partition("ERROR at setup of test_it")[2]
    assert "building bad failed at bad/Dockerfile:2 (stage stage-0): " in report
    assert "    2 | RUN echo out; echo err >&2; \\\n    3 |     exit 7\n" in report
    assert "exit code: 7\n" in report
    assert "  out\n" in report
    assert "  err\n" in report
    assert "Traceback" not in report
    assert project.storage.image_names() == [BUSYBOX]


def test_a_step_that_helps_itself_is_retried_and_reported(project: Project) -> None:
    text = f"FROM {BUSYBOX}\nRUN --mount=type=cache,target=/c rm /c/done || {{ >/c/done; exit 5; }}"
    test = f"import pytest\n@pytest.mark.image(text={text!r})\ndef test_it(zlayer_image): pass\n"
    write_files(project.folder, {"test_it.py": test})
    output = project.pytest("--zlayer-retries=2")
    assert "attempt 1 of 3 failed" in output
    assert "zlayer: steps that were tried again" in output
    assert "1 passed, 1 warning" in output


def test_the_report_of_a_single_build_names_the_isolation_that_it_has_chosen(
    project: Project,
) -> None:
    test = "import pytest\n@pytest.mark.image('api')\ndef test_it(zlayer_image): pass\n"
    write_files(project.folder, {"test_it.py": test})
    project.pytest("--zlayer-prebuild=off", "--zlayer-report=report.json")
    told = json.loads((project.folder / "report.json").read_bytes())
    assert ", isolation " in told["environment"]["engine"]


def test_what_is_kept_is_reported_with_a_command_that_works(project: Project) -> None:
    test = "import pytest\n@pytest.mark.image('api')\ndef test_it(zlayer_image): pass\n"
    write_files(project.folder, {"test_it.py": test})
    lines = project.pytest("--zlayer-keep").splitlines()
    [command] = [line.partition(": ")[2] for line in lines if line.startswith("image of api: ")]
    pasted = command.replace("pytest-zlayer", f"{sys.executable} -m pytest_zlayer", 1)
    shell = ["sh", "-c", f"echo cat /srv/hello | {{ {pasted}; }}"]
    found = subprocess.check_output(shell, text=True, env=project.environment)
    assert found.startswith("hello nobody\n")


SOME_FAIL = f"""
import pytest

passing = pytest.mark.image(text="FROM {BUSYBOX}\\nRUN echo 1 > /passing", name="passing")
failing = pytest.mark.image(text="FROM {BUSYBOX}\\nRUN echo 2 > /failing", name="failing")


@passing
def test_passes(zlayer_container):
    zlayer_container.run("touch /passed")


@passing
def test_expects_an_error(zlayer_image):
    with pytest.raises(ZeroDivisionError), zlayer_image.container() as container:
        1 / 0


@failing
def test_fails(zlayer_container):
    zlayer_container.run("echo state > /state")
    assert not "of this"


@failing
def test_fails_inside(zlayer_image):
    with zlayer_image.container() as container:
        container.run("echo inside > /state")
        pytest.fail("of this")


def test_expects_a_failure(zlayer_build):
    with pytest.raises(Exception, match="exit"):
        zlayer_build(text="FROM {BUSYBOX}\\nRUN exit 3")


@pytest.mark.image(text="FROM {BUSYBOX}\\nRUN exit 4", name="unbuilt")
def test_is_not_built(zlayer_image): ...
"""


def test_what_failed_tests_have_used_is_kept_and_named_after_them(project: Project) -> None:
    write_files(project.folder, {"test_it.py": SOME_FAIL})
    lines = project.pytest("--zlayer-keep=failed", code=1).splitlines()
    kept = {
        label: command
        for label, _, command in (line.partition(": ") for line in lines)
        if "pytest-zlayer debug zlayer-kept-" in command or "pytest-zlayer debug test-" in command
    }
    assert sorted(kept) == [
        "container of test_fails (failing)",
        "container of test_fails_inside (failing)",
        "container of test_is_not_built (unbuilt)",
        "image of test_fails (failing)",
        "image of test_fails_inside (failing)",
    ], lines
    assert len(project.storage.container_names()) == 3
    names = project.storage.image_names()
    assert [one for one in names if "kept" in one and "passing" in one] == []
    pasted = kept["container of test_fails_inside (failing)"]
    pasted = pasted.replace("pytest-zlayer", f"{sys.executable} -m pytest_zlayer", 1)
    shell = ["sh", "-c", f"echo cat /state | {{ {pasted}; }}"]
    found = subprocess.check_output(shell, text=True, env=project.environment)
    assert found.startswith("inside\n")


SHARED = """
import pytest

@pytest.mark.parametrize("number", range(4))
@pytest.mark.image("api")
def test_it(zlayer_image, number):
    assert zlayer_image.run().stdout == "hello nobody\\n"
"""


def test_workers_can_use_the_same_image(project: Project) -> None:
    write_files(project.folder, {"test_it.py": SHARED})
    assert "4 passed" in project.pytest("-n2")


# The second worker has its tests only when the first one has ended; to both the session is one.
LATE_WORKER = """
import os
import time
from pathlib import Path

import pytest

ENDED = Path(__file__).with_name("ended")
WORKER = os.environ.get("PYTEST_XDIST_WORKER")

@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    while WORKER == "gw1" and not ENDED.exists():
        time.sleep(0.05)

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish():
    yield
    if WORKER == "gw0":
        ENDED.touch()
"""


def test_a_late_worker_finds_what_one_has_built_that_has_ended(project: Project) -> None:
    write_files(project.folder, {"test_it.py": SHARED, "conftest.py": LATE_WORKER})
    said = project.pytest("-n2", "--zlayer-progress=plain")
    assert "4 passed" in said
    lines = [line for line in said.splitlines() if line.startswith("[gw1] zlayer: api: ")]
    assert lines
    assert "from the cache in" in lines[-1]


def test_workers_share_what_is_built(project: Project) -> None:
    write_files(project.folder, {"test_it.py": SHARED})
    project.environment["ZLAYER_CACHE"] = "keep"
    project.pytest("-n2")
    names = project.storage.image_names()
    assert [name for name in names if "zlayer/cache" not in name] == [BUSYBOX]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_a_step_leaves_nothing(
    project: Project, number: signal.Signals
) -> None:
    before = project.storage.leftovers()
    text = f"FROM {BUSYBOX}\nRUN sleep 600\n"
    test = f"import pytest\n@pytest.mark.image(text={text!r})\ndef test_it(zlayer_image): pass\n"
    write_files(project.folder, {"test_it.py": test})
    with project.popen("pytest") as process:

        def sleeps() -> bool:
            assert process.poll() is None
            return "sleep 600" in str(project.storage.processes())

        wait_until(sleeps, "the step")
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == (2 if number == signal.SIGINT else 128 + number), output
    assert project.storage.leftovers() == before
    assert project.storage.image_names() == [BUSYBOX]


def test_hooks_take_part_in_a_build(project: Project) -> None:
    conftest = """
def pytest_zlayer_resolve_base(config, reference):
    return "localhost/test/busybox:1" if reference == "company/base" else None

def pytest_zlayer_before_build(config, spec):
    print("BEFORE", spec.name)

def pytest_zlayer_image_built(config, spec, image):
    print("BUILT", spec.name, image.short_id)

def pytest_zlayer_retry(config, step, attempt, error):
    return False
"""
    test = """
import pytest

def test_built(zlayer_build, capsys):
    image = zlayer_build(name="it", text="FROM company/base\\nRUN true")
    assert capsys.readouterr().out == f"BEFORE it\\nBUILT it {image.short_id}\\n"

def test_retry(zlayer_build):
    from pytest_zlayer.builder.model.errors import BuildError

    with pytest.raises(BuildError) as caught:
        zlayer_build(text="FROM company/base\\nRUN false", retries=3)
    assert caught.value.attempts == 1
"""
    write_files(project.folder, {"conftest.py": conftest, "test_it.py": test})
    assert "2 passed" in project.pytest("--zlayer-progress=quiet")


def test_the_command_line_builds_an_image_that_stays(project: Project) -> None:
    built = "localhost/test/built:1"
    argv = ("build", "api", "-t", built, "--build-arg=WHO=cli", "--iidfile=iid")
    output = project.run("pytest_zlayer", *argv)
    image_id = output.splitlines()[-1]
    assert (project.folder / "iid").read_text() == f"sha256:{image_id}"
    assert project.storage.image_names() == [built, BUSYBOX]
    assert project.run("pytest_zlayer", "ps") == "pytest-zlayer has nothing in the storage\n"


def test_an_image_built_without_a_name_is_listed_and_pruned(project: Project) -> None:
    project.environment["ZLAYER_CACHE"] = "keep"
    project.run("pytest_zlayer", "build", "api", "--progress=quiet")
    listed = project.run("pytest_zlayer", "ps")
    assert "\nkept image  localhost/zlayer/kept:built-" in listed
    assert "\ncache " in listed
    project.run("pytest_zlayer", "prune", "--all")
    assert project.run("pytest_zlayer", "ps") == "pytest-zlayer has nothing in the storage\n"
    assert project.storage.image_names() == [BUSYBOX]


def test_a_build_that_fails_ends_with_1(project: Project) -> None:
    write_files(project.folder, {"bad/Dockerfile": f"FROM {BUSYBOX}\nRUN exit 7\n"})
    output = project.run("pytest_zlayer", "build", "bad", code=1)
    assert "building bad failed at bad/Dockerfile:2 (stage stage-0): " in output
    assert "Traceback" not in output
