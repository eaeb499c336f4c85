"""The rooms of the package and what each may import: the architecture as a table."""

from __future__ import annotations

# What everybody may import.
SHARED = {"argument_values", "choices", "errors", "events", "lazy", "dataclass", "waiting"}

# Each room and what it may import, from the top down. A room is a folder or one module, without
# the modules that have a line of their own; "x/*" is the room x with all rooms below it. A room to
# come stands here before its first module does.
ROOMS: dict[str, str] = {
    "__init__": (
        "library services/* checks/* report plugin inputs builder/* dockerfile/* buildah/*"
    ),
    "__main__": "cli",
    # What pytest calls, and what people call instead.
    "plugin/__init__": "plugin plugin/items hookspecs",
    "plugin": (
        "plugin/progress hookspecs signals library services/* checks/* report inputs "
        "builder/* dockerfile/* buildah/*"
    ),
    "plugin/items": "plugin checks/* report inputs builder/* dockerfile/*",
    "plugin/progress": "report",
    "cli": (
        "__init__ signals library services/* checks/* report inputs builder/* dockerfile/* "
        "buildah/*"
    ),
    "library": "inputs builder/session builder/image builder/model",
    "hookspecs": "builder/image builder/model",
    "signals": "",
    # What can be done with an image.
    "services/serving": "services/podman services builder/image",
    "services/podman": "services builder/image buildah/*",
    "services": "checks/* builder/image dockerfile/values dockerfile buildah/*",
    "report": "",
    # What users declare and set.
    "inputs": "builder/model dockerfile/values",
    # Declarations and contexts become plans, steps, layers and images.
    "builder/session": (
        "builder/execute builder/plan builder/context builder/image builder/store builder/cache "
        "builder/remote builder/copy builder/oci builder/files builder/model builder/stopping "
        "builder/retry dockerfile/* buildah/*"
    ),
    "builder/execute": (
        "builder/plan builder/context builder/image builder/store builder/cache builder/remote "
        "builder/copy builder/oci builder/files builder/model builder/stopping builder/retry "
        "dockerfile/* buildah/*"
    ),
    "builder/plan": (
        "builder/context builder/store builder/cache builder/copy builder/oci builder/files "
        "builder/model builder/stopping dockerfile/* buildah/errors"
    ),
    "builder/remote": (
        "builder/cache builder/store builder/oci builder/files builder/model builder/stopping "
        "builder/retry dockerfile/operations dockerfile/values buildah/*"
    ),
    "builder/context": (
        "builder/store builder/copy builder/oci builder/files builder/model builder/stopping "
        "dockerfile/* buildah/files buildah/errors"
    ),
    "builder/image": (
        "checks/* builder/store builder/oci builder/files builder/model builder/stopping "
        "dockerfile/operations dockerfile/values dockerfile buildah/*"
    ),
    "builder/store": (
        "builder/oci builder/files builder/model builder/stopping builder/retry "
        "dockerfile/operations dockerfile/values dockerfile buildah/*"
    ),
    "builder/copy": (
        "builder/oci builder/files builder/model builder/stopping dockerfile/operations "
        "dockerfile/ignore dockerfile/values dockerfile buildah/files"
    ),
    "builder/cache": "builder/oci builder/files builder/model builder/stopping buildah/*",
    "builder/oci": (
        "builder/files builder/model builder/stopping dockerfile/operations dockerfile/values "
        "dockerfile buildah/files"
    ),
    "builder/files": "builder/model builder/stopping dockerfile/values buildah/files",
    "builder/retry": "builder/model builder/stopping",
    "builder/model": "dockerfile/values buildah/failures buildah/errors",
    "builder/stopping": "",
    "builder": "",
    # What can be said about an image; over protocols, so it stands below what it is about.
    "checks": "dockerfile/operations dockerfile/values dockerfile",
    "checks/packages": "checks",
    "checks/structure": "checks dockerfile/values",
    # The language: text becomes typed instructions, and these become operations.
    "dockerfile/__init__": "dockerfile/lint dockerfile/parser dockerfile/shell dockerfile",
    "dockerfile/lint": (
        "dockerfile/dispatch dockerfile/stages dockerfile/parser dockerfile/operations "
        "dockerfile/shell dockerfile/ignore dockerfile/values dockerfile"
    ),
    "dockerfile/dispatch": (
        "dockerfile/stages dockerfile/operations dockerfile/shell dockerfile/values dockerfile"
    ),
    "dockerfile/stages": (
        "dockerfile/parser dockerfile/operations dockerfile/shell dockerfile/values dockerfile"
    ),
    "dockerfile/parser": "dockerfile/operations dockerfile/shell dockerfile/values dockerfile",
    "dockerfile/operations": "dockerfile/shell dockerfile/values dockerfile",
    "dockerfile/ignore": "dockerfile/values",
    "dockerfile/shell": "dockerfile/values dockerfile",
    "dockerfile": "dockerfile/values",
    "dockerfile/values": "",
    # The engine.
    "buildah/engine": (
        "buildah/opening buildah/stored_images buildah/registries buildah/runs "
        "buildah/running_container buildah/commands buildah/runtime buildah/run_request "
        "buildah/files buildah/process buildah/storage buildah/agent buildah/messages "
        "buildah/failures buildah/errors"
    ),
    "buildah/stored_images": (
        "buildah/commands buildah/storage buildah/agent buildah/failures buildah/errors"
    ),
    "buildah/registries": "buildah/commands buildah/process buildah/storage",
    "buildah/runs": (
        "buildah/running_container buildah/commands buildah/runtime buildah/run_request "
        "buildah/files buildah/process buildah/storage buildah/agent buildah/messages "
        "buildah/failures buildah/errors"
    ),
    "buildah/running_container": (
        "buildah/runtime buildah/run_request buildah/process buildah/messages buildah/failures "
        "buildah/errors"
    ),
    "buildah/opening": (
        "buildah/commands buildah/process buildah/storage buildah/agent buildah/failures "
        "buildah/errors"
    ),
    "buildah/commands": (
        "buildah/run_request buildah/process buildah/storage buildah/agent buildah/messages "
        "buildah/failures buildah/errors"
    ),
    "buildah/runtime": (
        "buildah/run_request buildah/files buildah/process buildah/storage buildah/agent "
        "buildah/failures buildah/errors"
    ),
    "buildah/run_request": "buildah/capabilities buildah/process buildah/failures buildah/errors",
    "buildah/capabilities": "",
    "buildah/files": "buildah/process buildah/agent buildah/failures buildah/errors",
    "buildah/process": "buildah/agent buildah/messages buildah/failures buildah/errors",
    "buildah/storage": "buildah/agent buildah/failures buildah/errors",
    # The agent is a program of its own: it imports nobody, and is imported for what both sides say.
    "buildah/agent": "",
    "buildah/errors": "buildah/failures",
    "buildah/messages": "buildah/failures",
    "buildah/failures": "",
    "buildah": "",
    # The parts that everybody may import.
    "argument_values": "choices errors",
    "choices": "",
    "events": "",
    "errors": "",
    "lazy": "",
    "waiting": "",
    "dataclass": "",
}

# Rooms of the table that have no module yet.
TO_COME: set[str] = set()

# What tests hold can be asked for things that rooms above do; they are loaded when that happens.
UPWARD = {
    ("builder/image/built_image", "services"),
    ("builder/image/built_image", "services/serving"),
    ("builder/image/container", "services"),
    ("builder/model/errors", "report"),
}

# What the tests below would refuse today. A line that is no longer needed has to go.
EXCEPTIONS: dict[str, set[str]] = {
    "room": set(),
    "cycle": set(),
    "folder": set(),
}
