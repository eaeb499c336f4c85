"""Everything that knows buildah: its commands, processes, errors, and the storage it uses."""
