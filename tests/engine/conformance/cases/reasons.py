"""Reasons for differences that several cases share."""

from __future__ import annotations

SET_ID = "BuildKit copies modes whole; buildah takes setuid and setgid away"
FROM_SCRATCH = {"config WorkingDir": "BuildKit says / where there is no base image"}
LINK_FOLLOWED = "BuildKit follows a link at the destination; buildah replaces it"
MOUNT_POINT = {"/* kind": "buildah 1.28 removes the mount point though it was there before"}
SHELL_KEPT = "BuildKit puts the stage's SHELL in front of shell forms; buildah always /bin/sh -c"
WORKDIR_CREATED = {"/* kind": "BuildKit creates it at once; buildah 1.28 only with a later step"}
CHMOD_ON_THE_WAY = "BuildKit gives --chmod to the directories it creates on the way"
NEWER_CHMOD_ON_THE_WAY = {"/x mode": "newer BuildKits give --chmod to the directories on the way"}

# --- where BuildKit differs: the one compared with is of 2024, the language implemented of 2026
NEWER_WORDS = {"message": "newer BuildKits say it in our words"}
NEWER_FLAG = {"build": "newer BuildKits know the flag"}
NEWER_CHECK = {"build": "newer BuildKits refuse it too"}
NEWER_ADD_CHOWN = {"/x/* owner": "newer BuildKits give --chown to what an archive holds"}
OWN_WORDS = {"message": "what the step said is shown apart from the reason"}
OWN_PATH = {"message": "BuildKit names a directory of its own"}
ATTRIBUTES = {
    "/x/a attributes": "BuildKit's layers hold security.capability only; these do no harm"
}
