"""Removing what a session left behind, in the order in which one thing needs another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from .files.removal import remove_tree
from .journal_check import MARK
from .layers import Traces, give_up_one, has_unfinished
from .leftovers import Leftovers
from .ownlocks import names_locked, nobody_pulls
from .processes import end_contained, output_of
from .records import LIST_IMAGES, Records, Unreadable, unnamed_twins
from .services import listed, remove_services

# Seconds one clean-up command may take: a lock held by a stopped process must not hold us too.
_PATIENCE = 60.0


def clean(left: Leftovers) -> list[str]:
    """Removes all of it; what could not be removed, in words."""
    problems = remove_services(left.services)
    end_contained(left.tmpdir)
    _delete_runtime_state(left)
    _finish_commits(left)
    problems += _remove_containers(left)
    with contextlib.ExitStack() as held:
        problems += _wait_for_pulls(left, held)
        problems += _remove_images(left)
        problems += _remove_layers(left)
    remove_tree(left.tmpdir, last=MARK)
    return problems


def _delete_runtime_state(left: Leftovers) -> None:
    for runtime in left.runtimes:
        root = os.path.join(left.tmpdir, "runtime", os.path.basename(runtime))
        for container in _names(root):
            _call(left, [runtime, "--root", root, "delete", "--force", container])


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _finish_commits(left: Leftovers) -> None:
    """Commits once more what was being committed, and removes the result.

    A commit that was cut off may leave a layer that no command shows or removes. The same commit
    takes it over, and with that image it goes.
    """
    for container, options in left.commits.items():
        words = left.argv("commit", *_usable(options), container)
        code, output, _ = _call(left, words)
        if code < 0:
            code, output, _ = _call(left, words)
        if code == 0 and output.strip():
            identifier = output.split()[-1]
            twins = unnamed_twins(_recorded(left, "images") or [], identifier)
            _expect(left, images=[identifier])
            for one in (identifier, *twins):
                _remove(left, "rmi", one)


def _usable(options: Sequence[str]) -> list[str]:
    """The options of a commit, without a signature policy that is gone already."""
    policy = "--signature-policy"
    at = options.index(policy) if policy in options else len(options)
    if options[at:] and not os.path.exists(options[at + 1]):
        return [*options[:at], *options[at + 2 :]]
    return list(options)


def _remove_containers(left: Leftovers) -> list[str]:
    found = _recorded(left, "containers")
    if found is None:
        code, output, error = _call(left, left.argv("containers", "--all", "--json"))
        if code != 0:
            return [f"containers could not be listed: {error.strip()}"]
        found = [{**one, "names": [one.get("containername", "")]} for one in listed(output)]
    own = [
        str(one["id"])
        for one in found
        if any(name.startswith(left.prefix) for name in one.get("names") or ())
    ]
    _expect(left, containers=own)
    return [problem for one in own for problem in _remove(left, "rm", one)]


def _wait_for_pulls(left: Leftovers, held: contextlib.ExitStack) -> list[str]:
    """Before something is removed that was pulled: others may be pulling the same just now."""
    pulls = [key for key, one in left.traces.items() if one.blobs or one.image]
    try:
        if pulls:
            held.enter_context(nobody_pulls(left.storage))
    except OSError as error:
        for key in pulls:
            del left.traces[key]
        return [f"a base image that was pulled but not used could not be removed: {error}"]
    return []


def _remove_images(left: Leftovers) -> list[str]:
    unnamed = [*left.ids, *(one.image for one in left.traces.values() if one.image)]
    if not (left.images or unnamed):
        return []
    found = _recorded(left, "images")
    if found is None:
        code, output, error = _call(left, left.argv(*LIST_IMAGES))
        if code != 0:
            return [f"images could not be listed: {error.strip()}"]
        found = listed(output)
    targets = [
        (name, _is_list(left, image)) for image in found for name in _names_in(left, image, unnamed)
    ]
    _expect(left, images=[name for name, _ in targets])
    return [
        problem
        for name, is_list in targets
        # Given a list, rmi may remove the image that the list has for this machine instead.
        for problem in _remove(left, "manifest rm" if is_list else "rmi", name)
    ]


def _is_list(left: Leftovers, image: dict[str, Any]) -> bool:
    try:
        return Records(left.storage).is_list(image)
    except (Unreadable, OSError, ValueError, TypeError):
        return False


def _expect(left: Leftovers, images: Sequence[str] = (), containers: Sequence[str] = ()) -> None:
    """Notes what layers may be left if removing these is cut off."""
    try:
        records = Records(left.storage)
        layers = [*records.layers_of(containers), *records.chains_of(images)]
    except Unreadable:
        return
    if layers:
        _note_layers(left, layers)


def _note_layers(left: Leftovers, layers: Sequence[str]) -> None:
    line = {"traces": f"clean-{len(left.traces)}-{layers[0]}", "layers": list(layers)}
    left.record(line)
    left.note(line)


def _remove_layers(left: Leftovers) -> list[str]:
    """Has the storage delete the layers that killed commands have left, topmost first."""
    traces = list(left.traces.values())
    try:
        # One that was being made or removed needs what lies below it until it is gone.
        if traces and has_unfinished(Records(left.storage)):
            _open_storage(left)
        while traces and (given_up := give_up_one(left.storage, traces)):
            # Their image may have been removed meanwhile: this layer has kept those below it.
            _note_layers(left, given_up)
            traces.append(Traces(given_up))
            code, error = _open_storage(left)
            if code != 0:
                return [f"layer {given_up[0]} could not be removed: {error.strip()}"]
    except (Unreadable, OSError) as error:
        return [f"layers could not be inspected: {error}"]
    return []


def _open_storage(left: Leftovers) -> tuple[int, str]:
    """Lets the storage delete its unfinished layers: it does that for any command."""
    code, _, error = _call(left, left.argv("containers", "--quiet"))
    return code, error


def _recorded(left: Leftovers, kind: str) -> list[dict[str, Any]] | None:
    """What the storage's own records list, ``None`` when they are not as expected.

    Read directly they cost nothing; ``buildah images`` measures every image of the storage first.
    Where images are recorded as expected and nothing else is, there has never been anything else.
    """
    try:
        records = Records(left.storage)
        return records.all(kind) if records.files(kind) or records.files("images") else None
    except Unreadable:
        return None


def _names_in(left: Leftovers, image: dict[str, Any], unnamed: Collection[str]) -> Iterator[str]:
    """The names an image has from this session, or its id if it was to get one and has none."""
    folders = tuple(name for name in left.images if name.endswith("/"))
    names = image.get("names") or []
    yield from (name for name in names if name in left.images or name.startswith(folders))
    identifier = str(image["id"]).rpartition(":")[2]
    if not names and identifier in unnamed:
        yield identifier


def _remove(left: Leftovers, verb: str, target: str) -> list[str]:
    with contextlib.nullcontext() if verb == "rm" else names_locked(left.storage):
        code, _, error = _call(left, left.argv(*verb.split(), target))
    if code == 0 or "not known" in error:
        return []
    return [f"buildah {verb} {target}: {error.strip()}"]


def _call(left: Leftovers, argv: Sequence[str]) -> tuple[int, str, str]:
    return output_of(argv, left.env, _PATIENCE)
