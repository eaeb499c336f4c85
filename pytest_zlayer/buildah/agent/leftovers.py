"""What one process of a session may have left, as its journal tells it line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .layers import Traces
from .records import Record, StorageOptions
from .services import Services


@dataclass(slots=True)
class Leftovers:
    """What is to be removed when the process is gone.

    Attributes:
        binary: buildah.
        storage: where all of it is.
        env: environment for buildah.
        prefix: how the names of its containers begin.
        tmpdir: its private directory.
        images: names of its temporary images; a name ending in ``/`` stands for all below it.
        ids: images that may have been stored and not yet named.
        commits: containers that were being committed, and the options of that.
        traces: what commands that were not seen to succeed may have left, each under a key.
        record: writes a line to the journal.
        runtimes: OCI runtimes whose state lies in ``tmpdir/runtime``.
        services: what podman may run, if services were started with it.
    """

    binary: str
    storage: StorageOptions
    env: dict[str, str]
    prefix: str
    tmpdir: str
    images: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    commits: dict[str, Sequence[str]] = field(default_factory=dict)
    traces: dict[str, Traces] = field(default_factory=dict)
    record: Callable[[Record], None] = lambda _: None
    runtimes: Sequence[str] = ("crun", "runc")
    services: Services | None = None

    def argv(self, *words: str) -> list[str]:
        """A command line of buildah on this storage."""
        return [self.binary, *self.storage.words(), *words]

    def note(self, line: Record) -> None:
        """Takes one line of the journal: something more to remove, or something less."""
        match line:
            case {"image": str(name)}:
                self.images.append(name)
            case {"drop image": str(name)}:
                self.images = [one for one in self.images if one != name]
            case {"id": str(identifier)}:
                self.ids.append(identifier)
            case {"drop id": str(identifier)}:
                self.ids = [one for one in self.ids if one != identifier]
            case {"commit": str(container)}:
                self.commits[container] = line.get("options") or ["--quiet"]
            case {"drop commit": str(container)}:
                self.commits.pop(container, None)
            case {"traces": str(key)}:
                self.traces[key] = traces_of(line)
            case {"drop traces": str(key)}:
                self.traces.pop(key, None)
            case {"podman": str(places)}:
                own = places == "own"
                self.services = Services(self.storage, self.env, self.prefix, own)


def traces_of(line: Record) -> Traces:
    """What a command may leave, from the line of the journal that tells it."""
    return Traces(
        line.get("layers") or (),
        line.get("above"),
        line.get("blobs") or (),
        line.get("image"),
        line.get("since") or 0.0,
    )
