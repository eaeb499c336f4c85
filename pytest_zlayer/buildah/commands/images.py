"""Images of the store: imported, named, removed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_zlayer.buildah.agent.ownlocks import names_locked
from pytest_zlayer.buildah.agent.records import LIST_IMAGES, Unreadable
from pytest_zlayer.buildah.commands import arguments, traces
from pytest_zlayer.buildah.commands.commander import LAYERS, Commander
from pytest_zlayer.buildah.errors import EngineError
from pytest_zlayer.buildah.failures import Failure
from pytest_zlayer.buildah.messages.lines import (
    says_has_names,
    says_in_use,
    says_is_list,
    says_not_known,
)
from pytest_zlayer.buildah.storage.index import is_list
from pytest_zlayer.buildah.storage.records import parse_images
from pytest_zlayer.dataclass import dataclass

# What lies in the store has been let in already; /etc/containers/policy.json may not even exist.
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


@dataclass(frozen=True, slots=True)
class Imported:
    """An image just put into the store: its id, and whether it has ONBUILD triggers."""

    id: str
    has_triggers: bool


class Unnamed:
    """Remembers an image while it is in the store and has no name yet."""

    def __init__(self, note: Callable[[Mapping[str, Any]], None]) -> None:
        self._note = note
        self._identifier = ""

    def __enter__(self) -> Callable[[str], None]:
        return self._expect

    def _expect(self, identifier: str) -> None:
        self._identifier = identifier
        self._note({"id": identifier})

    def __exit__(self, *error: object) -> None:
        if self._identifier and error[0] is None:
            self._note({"drop id": self._identifier})


def own_policy(directory: Path) -> list[str]:
    """The option that makes a copy within this machine independent of the signature policy."""
    file = directory / "policy.json"
    if not file.exists():
        file.write_text(_POLICY, encoding="ascii")
    return ["--signature-policy", str(file)]


def import_layout(
    commander: Commander,
    layout: Path,
    names: Sequence[str],
    tmpdir: Path,
    expect: Callable[[str], None],
) -> Imported:
    """Puts the image of an OCI layout into the store under exactly these names.

    buildah names what it pulls from a layout after the path, each version in its own way, but
    leaves what it pulls from a plain directory (``dir:``) without a name. So the layout's blobs
    are linked into such a directory, and the image is named afterwards.
    """
    named = [arguments.image(name) for name in names]
    blobs = layout / "blobs" / "sha256"
    index = json.loads((layout / "index.json").read_bytes())
    manifest = blobs / _hex(index["manifests"][0]["digest"])
    config = blobs / _hex(json.loads(manifest.read_bytes())["config"]["digest"])
    document = json.loads(config.read_bytes())
    expect(config.name)
    plain = Path(tempfile.mkdtemp(prefix="import-", dir=tmpdir))
    try:
        (plain / "version").write_text("Directory Transport Version: 1.1\n", encoding="ascii")
        (plain / "manifest.json").symlink_to(manifest.absolute())
        for blob in blobs.iterdir():
            (plain / blob.name).symlink_to(blob.absolute())
        words = ["pull", "--quiet", *own_policy(tmpdir), f"dir:{plain}"]
        # Somebody who cleans up may take away a layer that we have just found to be there.
        identifier = commander.repeatable(
            words, timeout=LAYERS, leaves=traces.of_import(document)
        ).strip()
    finally:
        shutil.rmtree(plain, ignore_errors=True)
    if not arguments.is_image_id(identifier):
        raise EngineError(Failure("permanent", f"buildah pull printed {identifier!r}"))
    tag(commander, identifier, named)
    return Imported(identifier, bool((document.get("config") or {}).get("OnBuild")))


def _hex(digest: str) -> str:
    return digest.partition(":")[2]


def tag(commander: Commander, image: str, names: Sequence[str]) -> None:
    """``buildah tag``."""
    words = ["tag", arguments.image(image), *map(arguments.image, names)]
    with names_locked(commander.storage):
        commander.repeatable(words)


def untag(commander: Commander, image: str, name: str) -> None:
    """Takes one of several names from an image.

    buildah has no such command. ``rmi`` of a name only takes the name away while there are
    others, and removes the image with the last one.
    """
    wanted = arguments.image(image)
    for identifier, names in _listed(commander):
        if name in names and (identifier == wanted or wanted in names):
            if len(names) < 2:
                raise EngineError(Failure("permanent", f"{name} is the only name of its image"))
            remove(commander, [name])


def _names(commander: Commander, identifier: str) -> tuple[str, ...]:
    wanted = arguments.image(identifier)
    return next((names for one, names in _listed(commander) if one.startswith(wanted)), ())


def _listed(commander: Commander) -> list[tuple[str, tuple[str, ...]]]:
    """Ids and names of all images. buildah's own listing fails when one of them is broken."""
    try:
        found = commander.records.all("images")
        return [(one["id"], tuple(one.get("names") or ())) for one in found]
    except Unreadable:
        listed = parse_images(commander.output(LIST_IMAGES))
        return [(one.id, one.names) for one in listed]


def remove(commander: Commander, references: Sequence[str]) -> tuple[str, ...]:
    """``buildah rmi``; what is in use is left, and returned."""
    # Given a list, ``rmi`` may remove the image that the list has for this machine instead.
    lists = [one for one in references if is_list(commander.records, one)]
    for one in lists:
        _remove_list(commander, one)
    references = [one for one in references if one not in lists]
    if not references:
        return ()
    leaves = traces.of_removed_images(commander, references)
    with names_locked(commander.storage):
        done = commander.call_again(["rmi", *map(arguments.image, references)], leaves=leaves)
    if done.exit_code == 0:
        return ()
    if len(references) > 1:
        # One call for all is quick; after any failure each says for itself how it stands.
        return tuple(left for one in references for left in remove(commander, [one]))
    if says_is_list(done.stderr_tail):
        _remove_list(commander, references[0])
        return ()
    if says_has_names(done.stderr_tail):
        return tuple(references) if remove(commander, _names(commander, references[0])) else ()
    if says_not_known(done.stderr_tail):
        return ()
    if says_in_use(done.stderr_tail):
        return tuple(references)
    raise commander.failed(done)


def _remove_list(commander: Commander, name: str) -> None:
    """Takes a name from a manifest list, and removes the list with its last one."""
    with names_locked(commander.storage):
        done = commander.call(["manifest", "rm", arguments.image(name)])
    if done.exit_code != 0 and not says_not_known(done.stderr_tail):
        raise commander.failed(done)
