"""A program of its own: it stands in for the OCI runtime, to see what buildah asks of it.

buildah starts it instead of the runtime, once. It copies the specification of the container that is
to be created, with the small files that buildah mounts into it, then becomes the real runtime.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Sequence
from typing import Any

# Bytes of a file that is copied: names of hosts, addresses of name servers.
_SMALL = 1 << 20


def capture(words: Sequence[str]) -> int:
    """``DESTINATION RUNTIME ARGUMENTS…``: copies what there is to copy, becomes the runtime."""
    destination, runtime, *arguments = words
    try:
        if "create" in arguments:
            _save(destination, arguments)
    except (OSError, ValueError, LookupError, TypeError) as error:
        # Nothing is taken then; what buildah wanted is done nevertheless.
        sys.stderr.write(f"the specification could not be read: {error}\n")
    os.execv(runtime, [runtime, *arguments])  # noqa: S606 (the point)


def _save(destination: str, arguments: Sequence[str]) -> None:
    bundle = arguments[arguments.index("--bundle") + 1]
    with open(os.path.join(bundle, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    taken = {
        "arguments": list(arguments),
        "bundle": bundle,
        "config": config,
        "files": dict(_files(config, bundle)),
    }
    with open(f"{destination}.new", "w", encoding="utf-8") as file:
        json.dump(taken, file)
    os.rename(f"{destination}.new", destination)


def _files(config: dict[str, Any], bundle: str) -> list[tuple[str, dict[str, Any]]]:
    sources = [one.get("source") or "" for one in config["mounts"]]
    return [(source, _file(source)) for source in sources if source.startswith(f"{bundle}/")]


def _file(path: str) -> dict[str, Any]:
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode) or found.st_size > _SMALL:
        raise ValueError(path)
    with open(path, encoding="utf-8") as file:
        return {"mode": stat.S_IMODE(found.st_mode), "text": file.read()}


if __name__ == "__main__":
    sys.exit(capture(sys.argv[1:]))
