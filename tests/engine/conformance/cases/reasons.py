"""Reasons for differences that several cases share."""

from __future__ import annotations

SET_ID = "BuildKit copies modes whole; buildah takes setuid and setgid away"
FROM_SCRATCH = {"config WorkingDir": "BuildKit says / where there is no base image"}
LINK_FOLLOWED = "BuildKit follows a link at the destination; buildah replaces it"
MOUNT_POINT = {"/* kind": "buildah 1.28 removes the mount point though it was there before"}
SHELL_KEPT = "BuildKit puts the stage's SHELL in front of shell forms; buildah always /bin/sh -c"
WORKDIR_CREATED = {"/* kind": "BuildKit creates it at once; buildah 1.28 only with a later step"}
CHMOD_ON_THE_WAY = "BuildKit gives --chmod to the directories it creates on the way"
