"""From a file of container-structure-test to values; what cannot mean anything is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pytest_zlayer.checks.structure.go_regex import compile_go
from pytest_zlayer.checks.structure.model import (
    CommandTest,
    FileContentTest,
    FileExistenceTest,
    LicenseTest,
    MetadataTest,
    RunOptions,
    StructureFile,
    Value,
)
from pytest_zlayer.checks.structure.yaml_nodes import Node, read_nodes
from pytest_zlayer.dockerfile.values.capabilities import parse_capability

Test = TypeVar("Test")

_VERSIONS = ("1.0.0", "2.0.0")
_TOP = (
    "schemaVersion", "globalEnvVars", "commandTests", "fileExistenceTests", "fileContentTests",
    "licenseTests",
)  # fmt: skip
_TOP_2 = (*_TOP, "metadataTest", "containerRunOptions")
_COMMAND = (
    "name", "setup", "teardown", "envVars", "exitCode", "command", "expectedOutput",
    "excludedOutput", "expectedError", "excludedError",
)  # fmt: skip
_EXISTENCE = ("name", "path", "shouldExist", "permissions")
_EXISTENCE_2 = (*_EXISTENCE, "uid", "gid", "isExecutableBy")
_CONTENT = ("name", "path", "expectedContents", "excludedContents")
_METADATA = (
    "envVars", "unboundEnvVars", "labels", "entrypoint", "cmd", "exposedPorts", "unexposedPorts",
    "volumes", "unmountedVolumes", "workdir", "user",
)  # fmt: skip
_OPTIONS = (
    "user", "privileged", "allocateTty", "envFile", "envVars", "capabilities", "bindMounts",
)  # fmt: skip
_EXECUTORS = ("any", "owner", "group", "other")


def read_structure(text: str, file: str, folder: Path) -> StructureFile:
    """What a file says; ``file`` is its path as people know it, its paths begin in ``folder``.

    Raises:
        StructureError: it cannot mean anything, with the line.
        UsageError: PyYAML is not installed.
    """
    top = read_nodes(text, file)
    version = _version(top)
    fields = top.fields(_TOP if version == "1.0.0" else _TOP_2)
    newer = version != "1.0.0"
    return StructureFile(
        path=file,
        version=version,
        global_env=_variables(fields.get("globalEnvVars")),
        commands=_tests(fields.get("commandTests"), lambda one: _command(one, newer=newer)),
        existence=_tests(
            fields.get("fileExistenceTests"), lambda one: _existence(one, newer=newer)
        ),
        contents=_tests(fields.get("fileContentTests"), _content),
        licenses=_tests(fields.get("licenseTests"), _license),
        metadata=_metadata(fields.get("metadataTest")),
        options=_options(fields.get("containerRunOptions"), folder),
    )


def _version(top: Node) -> str:
    fields = top.fields((*_TOP_2, *top.names()))  # what is unknown is refused when that is known
    if "schemaVersion" not in fields:
        top.refuse("the file has no schemaVersion", hint='write: schemaVersion: "2.0.0"')
    node = fields["schemaVersion"]
    version = node.text()
    if version not in _VERSIONS:
        node.refuse(
            f"schemaVersion {version} is not supported", hint=f"known are {' and '.join(_VERSIONS)}"
        )
    return version


def _tests(node: Node | None, make: Callable[[Node], Test]) -> tuple[Test, ...]:
    return () if node is None else tuple(make(one) for one in node.items())


def _required(node: Node, fields: Mapping[str, Node], name: str) -> str:
    text = fields[name].text() if name in fields else ""
    if not text:
        node.refuse(f"{node.where} needs a {name}")
    return text


def _patterns(fields: Mapping[str, Node], name: str) -> tuple[re.Pattern[str], ...]:
    node = fields.get(name)
    if node is None:
        return ()
    return tuple(one.made(compile_go, "the regular expression") for one in node.items())


def _command(node: Node, *, newer: bool) -> CommandTest:
    fields = node.fields((*_COMMAND, "args") if newer else _COMMAND)
    name = _required(node, fields, "name")
    return CommandTest(
        name=name,
        line=node.line,
        argv=_argv(node, fields, newer=newer),
        setup=_commands(fields.get("setup")),
        teardown=_commands(fields.get("teardown")),
        env=_variables(fields.get("envVars"), filled=True),
        exit_code=fields["exitCode"].number() if "exitCode" in fields else 0,
        expected_output=_patterns(fields, "expectedOutput"),
        excluded_output=_patterns(fields, "excludedOutput"),
        expected_error=_patterns(fields, "expectedError"),
        excluded_error=_patterns(fields, "excludedError"),
    )


def _argv(node: Node, fields: Mapping[str, Node], *, newer: bool) -> tuple[str, ...]:
    command = fields.get("command")
    if command is None:
        node.refuse(f"{node.where} needs a command")
    if newer and command.is_list:
        command.refuse(
            f"{command.where} must be text, not a list",
            hint="since schema version 2.0.0 arguments go into args",
        )
    words = (command.text(),) if newer else command.texts()
    if not words or not words[0]:
        node.refuse(f"{node.where} needs a command")
    return (*words, *(fields["args"].texts() if "args" in fields else ()))


def _commands(node: Node | None) -> tuple[tuple[str, ...], ...]:
    if node is None:
        return ()
    found = []
    for one in node.items():
        words = one.texts()
        if not words:
            one.refuse(f"{one.where} is an empty command")
        found.append(words)
    return tuple(found)


def _variables(node: Node | None, *, filled: bool = False) -> dict[str, str]:
    found = {}
    for one in node.items() if node is not None else ():
        fields = one.fields(("key", "value", "isRegex"))
        key = _required(one, fields, "key")
        found[key] = _required(one, fields, "value") if filled else _text(fields, "value")
    return found


def _existence(node: Node, *, newer: bool) -> FileExistenceTest:
    fields = node.fields(_EXISTENCE_2 if newer else _EXISTENCE)
    by = fields.get("isExecutableBy")
    if by is not None and by.text() not in _EXECUTORS:
        by.refuse(f"{by.where} must be one of {', '.join(_EXECUTORS)}, not {by.text()!r}")
    return FileExistenceTest(
        name=_required(node, fields, "name"),
        line=node.line,
        path=_required(node, fields, "path"),
        should_exist=fields["shouldExist"].truth() if "shouldExist" in fields else True,
        permissions=_text(fields, "permissions"),
        uid=fields["uid"].number() if "uid" in fields else -1,
        gid=fields["gid"].number() if "gid" in fields else -1,
        executable_by=_text(fields, "isExecutableBy"),
    )


def _content(node: Node) -> FileContentTest:
    fields = node.fields(_CONTENT)
    return FileContentTest(
        name=_required(node, fields, "name"),
        line=node.line,
        path=_required(node, fields, "path"),
        expected=_patterns(fields, "expectedContents"),
        excluded=_patterns(fields, "excludedContents"),
    )


def _license(node: Node) -> LicenseTest:
    fields = node.fields(("debian", "files"))
    number = node.where.rpartition("[")[2].rstrip("]")
    return LicenseTest(
        name=str(int(number) + 1),
        line=node.line,
        debian=_truth(fields, "debian"),
        files=_texts(fields, "files"),
    )


def _metadata(node: Node | None) -> MetadataTest | None:
    if node is None:
        return None
    fields = node.fields(_METADATA)
    empty = MetadataTest(line=node.line)
    found = MetadataTest(
        line=node.line,
        env=_values(fields.get("envVars")),
        unbound_env=tuple(_variables(fields.get("unboundEnvVars"))),
        labels=_values(fields.get("labels")),
        entrypoint=fields["entrypoint"].texts() if "entrypoint" in fields else None,
        cmd=fields["cmd"].texts() if "cmd" in fields else None,
        exposed_ports=_filled(fields, "exposedPorts"),
        unexposed_ports=_filled(fields, "unexposedPorts"),
        volumes=_filled(fields, "volumes"),
        unmounted_volumes=_filled(fields, "unmountedVolumes"),
        workdir=_text(fields, "workdir"),
        user=_text(fields, "user"),
    )
    return None if found == empty else found


def _values(node: Node | None) -> tuple[Value, ...]:
    found = []
    for one in node.items() if node is not None else ():
        fields = one.fields(("key", "value", "isRegex"))
        key = _required(one, fields, "key")
        pattern = None
        if "isRegex" in fields and fields["isRegex"].truth() and "value" in fields:
            pattern = fields["value"].made(compile_go, "the regular expression")
        found.append(Value(key=key, text=_text(fields, "value"), pattern=pattern))
    return tuple(found)


def _options(node: Node | None, folder: Path) -> RunOptions:
    if node is None:
        return RunOptions()
    fields = node.fields(_OPTIONS)
    file = fields.get("envFile")
    if file is not None and not (folder / file.text()).is_file():
        file.refuse(f"{file.where}: there is no file {file.text()}")
    added = fields["capabilities"].items() if "capabilities" in fields else ()
    return RunOptions(
        place=node.place,
        privileged=_truth(fields, "privileged"),
        allocate_tty=_truth(fields, "allocateTty"),
        capabilities=tuple(one.made(parse_capability, "the capability") for one in added),
        user=_text(fields, "user") or None,
        env_file=_text(fields, "envFile") or None,
        env_names=_texts(fields, "envVars"),
        bind_mounts=_bind_mounts(fields.get("bindMounts")),
    )


def _bind_mounts(node: Node | None) -> tuple[str, ...]:
    found = []
    for one in node.items() if node is not None else ():
        source, _, target = one.text().partition(":")
        if not source or not target.startswith("/"):
            one.refuse(f"{one.where} must be SOURCE:TARGET or SOURCE:TARGET:ro, not {one.text()!r}")
        found.append(one.text())
    return tuple(found)


def _text(fields: Mapping[str, Node], name: str) -> str:
    return fields[name].text() if name in fields else ""


def _truth(fields: Mapping[str, Node], name: str) -> bool:
    return fields[name].truth() if name in fields else False


def _texts(fields: Mapping[str, Node], name: str) -> tuple[str, ...]:
    return fields[name].texts() if name in fields else ()


def _filled(fields: Mapping[str, Node], name: str) -> tuple[str, ...]:
    for one in fields[name].items() if name in fields else ():
        if not one.text():
            one.refuse(f"{one.where} is empty")
    return _texts(fields, name)
