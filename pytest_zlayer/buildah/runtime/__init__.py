"""The OCI runtime: buildah's specification, what a command changes in it, and starting it."""
