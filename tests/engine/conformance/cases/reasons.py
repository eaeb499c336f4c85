"""Reasons for differences that several cases share."""

from __future__ import annotations

SET_ID = "BuildKit copies modes whole; buildah takes setuid and setgid away"
FROM_SCRATCH = {"config WorkingDir": "BuildKit says / where there is no base image"}
LINK_FOLLOWED = "BuildKit follows a link at the destination; buildah replaces it"
MOUNT_POINT = {"/* kind": "buildah 1.28 removes the mount point though it was there before"}
