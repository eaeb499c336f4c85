"""Structure files: what they say, what is refused, and the verdicts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_zlayer import RunResult
from pytest_zlayer.checks.structure import evaluate
from pytest_zlayer.checks.structure.model import StructureError, StructureFile
from pytest_zlayer.checks.structure.read import read_structure
from pytest_zlayer.dockerfile.operations.image_config import ImageConfig, Words
from pytest_zlayer.errors import UsageError
from tests.checks.subject import Subject, make

HEAD = 'schemaVersion: "2.0.0"\n'


def read(
    text: str, file: str = "s.yaml", *, head: str = HEAD, folder: Path = Path("/nowhere")
) -> StructureFile:
    return read_structure(head + text, file, folder)


def refusal(text: str, file: str = "s.yaml", *, head: str = HEAD) -> str:
    with pytest.raises(StructureError) as caught:
        read(text, file, head=head)
    return str(caught.value)


# The examples of the original tool's documentation, in other words.
COMMANDS = """
globalEnvVars:
  - {key: VIRTUAL_ENV, value: /env}
  - {key: PATH, value: "/env/bin:$PATH"}
commandTests:
  - name: which
    setup: [["virtualenv", "/env"], ["pip", "install", "flask"]]
    teardown: [["rm", "x"]]
    command: which
    args: ["$VIRTUAL_ENV/flask", "${WHO}", "$$", "$", "a$"]
    envVars: [{key: WHO, value: "me in $VIRTUAL_ENV"}]
    expectedOutput: ["/env/bin/flask$"]
    excludedOutput: ["denied"]
    expectedError: ["^warning"]
    excludedError: [".*fatal.*"]
    exitCode: 3
"""


@dataclass
class Running(Subject):
    """Runs commands in a container that is itself."""

    @contextmanager
    def container(self) -> Iterator[Running]:
        yield self


def run_commands(
    tmp_path: Path, text: str, ended: RunResult, around: Mapping[str, str] | None = None
) -> tuple[list[str], list[Any]]:
    """What is wrong, and what was run."""
    file = read(text, folder=tmp_path)
    config = ImageConfig(env={"PATH": "/bin"})
    subject = Running(tmp_path, config, ended=ended)
    outside = evaluate.Surroundings(around or {}, tmp_path)
    return evaluate.command_problems(subject, file.commands[0], file, outside), subject.asked


def test_commands_run_with_setup_teardown_and_variables(tmp_path: Path) -> None:
    ended = RunResult(3, "/env/bin/flask", "warning: x\n", 0.1)
    problems, asked = run_commands(tmp_path, COMMANDS, ended)
    assert problems == []
    assert [one[0] for one in asked] == [
        ["virtualenv", "/env"],
        ["pip", "install", "flask"],
        ["which", "/env/flask", "me in /env", "", "$", "a$"],
        ["rm", "x"],
    ]
    env = {"VIRTUAL_ENV": "/env", "PATH": "/env/bin:/bin", "WHO": "me in /env"}
    assert all(one[1]["env"] == env for one in asked)


def test_all_that_is_wrong_with_a_command_is_reported(tmp_path: Path) -> None:
    problems, _ = run_commands(tmp_path, COMMANDS, RunResult(0, "denied\n", "fatal\n", 0.1))
    assert problems[:5] == [
        "stdout does not match '/env/bin/flask$'",
        "stdout matches 'denied', which is excluded: 'denied'",
        "stderr does not match '^warning'",
        "stderr matches '.*fatal.*', which is excluded: 'fatal'",
        "exit code is 0, expected 3",
    ]
    assert problems[5:] == [
        "command: which /env/flask me in /env  $ a$",
        "stdout:",
        "  denied",
        "stderr:",
        "  fatal",
    ]


def test_a_setup_that_cannot_be_run_is_reported(tmp_path: Path) -> None:
    problems, asked = run_commands(tmp_path, COMMANDS, RunResult(127, "", "no such file\n", 0.1))
    assert problems == ["setup 'virtualenv /env' could not be run", "  no such file"]
    assert len(asked) == 1


def test_options_of_containers(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# c\nA=1\nexport B='2'\nEMPTY=\n")
    (tmp_path / "data").mkdir()
    text = """
commandTests: [{name: x, command: id}]
containerRunOptions:
  user: app
  privileged: true
  allocateTty: true
  capabilities: [net_admin, CAP_SYS_PTRACE, all]
  envFile: .env
  envVars: [SECRET, NONE]
  bindMounts: ["/etc/hosts:/etc/b:ro", "data:/data"]
"""
    _, asked = run_commands(tmp_path, text, RunResult(0, "", "", 0.1), {"SECRET": "s"})
    [(_, given)] = asked
    assert given["user"] == "app"
    assert given["env"] == {"A": "1", "B": "2", "SECRET": "s"}
    assert given["mounts"] == {"/etc/hosts": "/etc/b:ro", f"{tmp_path}/data": "/data"}
    assert (given["privileged"], given["tty"]) == (True, True)
    assert given["cap_add"] == ("CAP_NET_ADMIN", "CAP_SYS_PTRACE", "ALL")


def test_setup_and_teardown_have_no_terminal(tmp_path: Path) -> None:
    text = """
commandTests: [{name: x, command: id, setup: [[a]], teardown: [[b]]}]
containerRunOptions: {allocateTty: true, privileged: true}
"""
    _, asked = run_commands(tmp_path, text, RunResult(0, "", "", 0.1))
    assert [one[1]["tty"] for one in asked] == [False, True, False]
    assert all(one[1]["privileged"] for one in asked)


def test_what_is_mounted_has_to_be_there(tmp_path: Path) -> None:
    text = """
commandTests: [{name: x, command: id}]
containerRunOptions: {bindMounts: ["/none:/a"]}
"""
    with pytest.raises(StructureError) as caught:
        run_commands(tmp_path, text, RunResult(0, "", "", 0.1))
    assert caught.value.message == "s.yaml:4:22: /none, which is to be mounted, is not there"


def test_options_that_a_container_cannot_have_show_their_place(tmp_path: Path) -> None:
    class Refusing(Running):
        def run(self, cmd: Any, **given: Any) -> RunResult:  # noqa: ARG002
            raise UsageError("CAP_SYS_BOOT cannot be given", hint="do without")

    file = read("""
commandTests: [{name: x, command: id}]
containerRunOptions: {capabilities: [SYS_BOOT]}
""")
    subject = Refusing(tmp_path, ImageConfig(), ended=RunResult(0, "", "", 0.1))
    around = evaluate.Surroundings({}, tmp_path)
    with pytest.raises(StructureError) as caught:
        evaluate.command_problems(subject, file.commands[0], file, around)
    assert caught.value.message == "s.yaml:4:22: CAP_SYS_BOOT cannot be given"
    assert caught.value.hint == "do without"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("path: /bin/app, permissions: -rwxr-x---, uid: 0, gid: 0, isExecutableBy: group", []),
        ("path: $HOME/app, isExecutableBy: any", []),
        ("path: /bin/app, permissions: -rwxr-xr-x",
         ["/bin/app has permissions -rwxr-x---, expected -rwxr-xr-x"]),
        ("path: /bin/app, isExecutableBy: other",
         ["/bin/app is not executable by other: it has permissions -rwxr-x---"]),
        ("path: /bin/app, uid: 7, gid: 8",
         ["/bin/app has uid 0, expected 7", "/bin/app has gid 0, expected 8"]),
        ("path: /bin/ap", ["there is no /bin/ap", "near: /bin/app"]),
        ("path: /bin/ap, shouldExist: false", []),
        ("path: /bin, permissions: drwxr-xr-x", []),
        ("path: /link, permissions: Lrwxrwxrwx", []),
        ("path: /broken", []),
        ("path: /tmp, permissions: dtrwxrwxrwx", []),
        ("path: /, shouldExist: true", []),
    ],
)  # fmt: skip
def test_files_that_are_or_are_not_there(tmp_path: Path, text: str, problems: list[str]) -> None:
    subject = make(tmp_path, {"bin/app": "", "tmp": None}, config=ImageConfig(env={"HOME": "/bin"}))
    (tmp_path / "bin/app").chmod(0o750)
    (tmp_path / "bin").chmod(0o755)
    (tmp_path / "tmp").chmod(0o1777)
    (tmp_path / "link").symlink_to("bin")
    (tmp_path / "broken").symlink_to("none")
    file = read(f"fileExistenceTests: [{{name: x, {text}}}]")
    found = evaluate.existence_problems(subject, file.existence[0], file)
    if problems and "expected 7" in problems[0]:
        found = [re.sub(r"(uid|gid) \d+,", r"\1 0,", one) for one in found]
    assert found == problems


def test_paths_have_the_variables_of_the_file(tmp_path: Path) -> None:
    subject = make(tmp_path, {"srv/app": ""}, config=ImageConfig(env={"HOME": "/srv"}))
    file = read("""
globalEnvVars: [{key: APP, value: "$HOME/app"}]
fileExistenceTests: [{name: x, path: $APP}]
""")
    assert evaluate.existence_problems(subject, file.existence[0], file) == []


def test_a_file_that_is_not_to_be_there(tmp_path: Path) -> None:
    file = read("fileExistenceTests: [{name: x, path: /etc, shouldExist: no}]")
    found = evaluate.existence_problems(make(tmp_path, {"etc": None}), file.existence[0], file)
    assert found[0] == "/etc is there, expected nothing"


def test_contents(tmp_path: Path) -> None:
    text = """
fileContentTests:
  - name: sources
    path: /etc/sources
    expectedContents: ['.*httpredir\\.debian\\.org.*']
    excludedContents: ['.*gce_debian_mirror.*']
"""
    test = read(text).contents[0]
    good = make(tmp_path / "good", {"etc/sources": "deb http://httpredir.debian.org x\n"})
    bad = make(tmp_path / "bad", {"etc/sources": "gce_debian_mirror\n"})
    assert evaluate.content_problems(good, test) == []
    assert evaluate.content_problems(bad, test)[:2] == [
        r"/etc/sources does not match '.*httpredir\\.debian\\.org.*'",
        "/etc/sources matches '.*gce_debian_mirror.*', which is excluded: 'gce_debian_mirror'",
    ]
    assert evaluate.content_problems(make(tmp_path / "none", {"a": ""}), test)[0] == (
        "there is no file /etc/sources"
    )


METADATA = """
metadataTest:
  envVars: [{key: foo, value: baz}, {key: V, value: '^\\d+$', isRegex: true}]
  unboundEnvVars: [{key: NOT}]
  labels:
    - {key: vendor, value: ACME}
    - {key: build-date, value: '^\\d{4}-\\d{2}$', isRegex: true}
  exposedPorts: ["8080", 2345]
  unexposedPorts: ["1"]
  volumes: ["/test"]
  unmountedVolumes: ["/other"]
  entrypoint: []
  cmd: ["/bin/bash"]
  workdir: "/app"
  user: "luke"
"""
CONFIG = ImageConfig(
    env={"foo": "baz", "V": "12"},
    labels={"vendor": "ACME", "build-date": "2020-01"},
    exposed_ports=("8080/tcp", "2345/udp"),
    volumes=("/test",),
    cmd=Words(["/bin/bash"]),
    workdir="/app",
    user="luke",
)


def metadata(config: ImageConfig, tmp_path: Path, text: str = METADATA) -> list[str]:
    test = read(text).metadata
    assert test is not None
    return evaluate.metadata_problems(Subject(tmp_path, config), test)


def test_metadata(tmp_path: Path) -> None:
    assert metadata(CONFIG, tmp_path) == []
    other = ImageConfig(
        env={"foo": "bar", "NOT": ""},
        labels={"vendor": "A", "build-date": "x"},
        exposed_ports=("1/tcp",),
        volumes=("/other",),
        entrypoint=Words(["e"]),
        user="root",
    )
    assert metadata(other, tmp_path) == [
        "variable foo is 'bar', expected 'baz'",
        "there is no variable V",
        "there are: NOT, foo",
        "variable NOT is set, expected none",
        "label vendor is 'A', expected 'ACME'",
        "label build-date is 'x', expected a match of '^\\\\d{4}-\\\\d{2}$'",
        "CMD is [], expected ['/bin/bash']",
        "ENTRYPOINT is ['e'], expected []",
        "the working directory is '', expected '/app'",
        "the user is 'root', expected 'luke'",
        "port 8080 is not exposed",
        "exposed: 1",
        "port 2345 is not exposed",
        "exposed: 1",
        "port 1 is exposed",
        "volume /test is not declared",
        "declared: /other",
        "volume /other is declared",
    ]


def test_an_empty_metadata_test_is_none() -> None:
    assert read("metadataTest:\n").metadata is None
    assert read("metadataTest: {}\n").metadata is None
    assert read("metadataTest: {envVars: [], user: ''}\n").metadata is None


def test_licenses(tmp_path: Path) -> None:
    files = {
        "usr/share/doc/good/copyright": "MIT",
        "usr/share/doc/bad/copyright": "the agpl",
        "usr/share/doc/libgnutls30/copyright": "AGPL",
        "usr/share/doc/none/readme": "",
        "foo": "WTFPL",
    }
    test = read("licenseTests: [{debian: true, files: [/foo, /bar]}]").licenses[0]
    assert evaluate.license_problems(make(tmp_path, files), test) == [
        "/usr/share/doc/bad/copyright contains AGPL",
        "there is no license file /usr/share/doc/none/copyright",
        "/foo contains WTFPL",
        "there is no license file /bar",
    ]
    assert evaluate.license_problems(make(tmp_path / "x", {"foo": "", "bar": ""}), test) == [
        "there is no directory /usr/share/doc"
    ]


# What stands after the version, and what is said of it.
REFUSED = """
commandTest: []
=> s.yaml:2:1: unknown key commandTest
commandTests: [{name: x, comand: y}]
=> s.yaml:2:26: unknown key comand in commandTests[0]
commandTests: [{name: x, command: [a]}]
=> s.yaml:2:35: commandTests[0].command must be text, not a list
commandTests: [{command: x}]
=> s.yaml:2:16: commandTests[0] needs a name
commandTests: [{name: x}]
=> s.yaml:2:16: commandTests[0] needs a command
commandTests: [{name: x, command: y, exitCode: '1'}]
=> s.yaml:2:48: commandTests[0].exitCode must be a whole number, not '1'
commandTests: [{name: x, command: y, setup: [[]]}]
=> s.yaml:2:46: commandTests[0].setup[0] is an empty command
commandTests: [{name: x, command: y, expectedOutput: ['(?=x)']}]
=> s.yaml:2:55: the regular expression '(?=x)' in commandTests[0].expectedOutput[0]: invalid or \
unsupported Perl syntax: (?=x
commandTests: {}
=> s.yaml:2:15: commandTests must be a list, not a mapping
fileExistenceTests: [{name: x, path: /, shouldExist: maybe}]
=> s.yaml:2:54: fileExistenceTests[0].shouldExist must be true or false, not 'maybe'
fileExistenceTests: [{name: x, path: /, isExecutableBy: me}]
=> s.yaml:2:57: fileExistenceTests[0].isExecutableBy must be one of any, owner, group, other, \
not 'me'
fileContentTests: [{name: x}]
=> s.yaml:2:20: fileContentTests[0] needs a path
metadataTest: {env: []}
=> s.yaml:2:16: unknown key env in metadataTest
metadataTest: {user: a, user: b}
=> s.yaml:2:25: user is given twice
metadataTest: {exposedPorts: ['']}
=> s.yaml:2:31: metadataTest.exposedPorts[0] is empty
containerRunOptions: {privileged: 1}
=> s.yaml:2:35: containerRunOptions.privileged must be true or false, not '1'
containerRunOptions: {capabilities: [KILL, NET_ADMN]}
=> s.yaml:2:44: the capability 'NET_ADMN' in containerRunOptions.capabilities[1]: Linux has no \
such capability (did you mean NET_ADMIN?)
containerRunOptions: {capabilities: NET_ADMIN}
=> s.yaml:2:37: containerRunOptions.capabilities must be a list, not 'NET_ADMIN'
containerRunOptions: {bindMounts: [/a]}
=> s.yaml:2:36: containerRunOptions.bindMounts[0] must be SOURCE:TARGET or SOURCE:TARGET:ro, \
not '/a'
containerRunOptions: {envFile: .env}
=> s.yaml:2:32: containerRunOptions.envFile: there is no file .env
a: [
=> s.yaml:3:1: expected the node content, but found '<stream end>'
"""


@pytest.mark.parametrize(
    ("text", "message"),
    list(zip(*[iter(REFUSED.replace("\\\n", "").strip().split("\n"))] * 2, strict=True)),
)
def test_what_cannot_mean_anything_is_refused_with_its_place(text: str, message: str) -> None:
    assert refusal(f"{text}\n").splitlines()[0] == message.removeprefix("=> ")


def test_a_refusal_has_a_hint() -> None:
    assert refusal("commandTest: []").endswith("\nhint: did you mean commandTests?")
    assert refusal("zzz: []").endswith("containerRunOptions")
    reported = refusal("commandTests: [{name: x, command: [a]}]")
    assert reported.endswith("hint: since schema version 2.0.0 arguments go into args")


def test_versions_are_reported_apart() -> None:
    assert refusal("commandTests: []", head="").startswith("s.yaml:1:1: the file has no schemaV")
    reported = refusal("", head='schemaVersion: "3.0.0"')
    assert reported.startswith("s.yaml:1:16: schemaVersion 3.0.0 is not supported")
    old = read("commandTests: [{name: x, command: [a, b]}]", head='schemaVersion: "1.0.0"\n')
    assert old.commands[0].argv == ("a", "b")
    reported = refusal("metadataTest: {}", head='schemaVersion: "1.0.0"\n')
    assert reported.startswith("s.yaml:2:1: unknown key metadataTest")
    assert refusal("", head="") == "s.yaml:1:1: the file is empty"


def test_json_is_read_with_its_places() -> None:
    data = {"SchemaVersion": "2.0.0", "commandTests": [{"name": "x", "command": "y"}]}
    assert read(json.dumps(data, indent="\t"), "s.json", head="").commands[0].name == "x"
    reported = refusal('{"schemaVersion": "2.0.0",\n "x": 1}', "s.json", head="")
    assert reported.startswith("s.json:2:2: unknown key x")
    assert refusal('{"schemaVersion": }', "s.json", head="").startswith("s.json:1:19: Expecting")


def test_anchors_and_merges() -> None:
    text = "commandTests:\n  - &one {name: x, command: y}\n  - <<: *one\n    name: z\n"
    found = read(text)
    assert [(one.name, one.argv) for one in found.commands] == [("x", ("y",)), ("z", ("y",))]
