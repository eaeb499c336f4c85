"""The rules of the build checks: what each is about."""

from __future__ import annotations

from types import MappingProxyType

RULES = MappingProxyType(
    {
        "ConsistentInstructionCasing": (
            "Write all instruction keywords in one case. Dockerfiles are read by people, and most"
            " of them expect upper case."
        ),
        "CopyIgnoredFile": (
            "The source of this COPY or ADD is excluded by the ignore file, so it is not part of"
            " the build context and the build fails or copies nothing."
        ),
        "CopyLinkReplacesDirectory": (
            "What --link copies becomes a layer that is independent of the image below it. It also"
            " has the directories that lead to the destination, with mode 0755 and owned by root or"
            " by --chown, and they replace those of the image. Leave --link out, or copy to a"
            " directory that the image does not have."
        ),
        "DuplicateStageName": (
            "Two stages have the same name. A reference means the last of them that is defined"
            " before it, which may not be the one that was meant."
        ),
        "ExposeInvalidFormat": (
            "EXPOSE only documents container ports. An address or host port is dropped here; it"
            " belongs to the command that runs the container."
        ),
        "ExposeProtoCasing": "Write the protocol of EXPOSE in lower case: tcp, udp or sctp.",
        "FromAsCasing": "Write AS in the same case as FROM.",
        "FromPlatformFlagConstDisallowed": (
            "A constant platform in FROM ties the stage to it, whatever platform is being built"
            " for. Use $BUILDPLATFORM or $TARGETPLATFORM, or name the stage after its platform."
        ),
        "InvalidDefaultArgInFrom": (
            "Without build arguments this FROM has no valid image name. Give the ARG a default, or"
            " write a fallback such as ${TAG:-latest}."
        ),
        "InvalidDefinitionDescription": (
            "The comment above an ARG or a named FROM describes it when it begins with the name."
            " Begin it with the name, or put an empty line comment (#) below it."
        ),
        "JSONArgsRecommended": (
            "A command given as text runs under a shell, which does not pass signals on: the"
            " process is killed instead of being asked to stop. Use the JSON form, or say which"
            " shell is meant with SHELL."
        ),
        "LegacyKeyValueFormat": (
            "ENV and LABEL with a space between name and value are an old form with rules of its"
            " own. Write name=value."
        ),
        "MaintainerDeprecated": (
            "MAINTAINER is deprecated: LABEL org.opencontainers.image.authors says the same and"
            " can be queried."
        ),
        "MultipleInstructionsDisallowed": (
            "Only the last CMD, ENTRYPOINT or HEALTHCHECK of a stage counts; this one has no"
            " effect."
        ),
        "NoEmptyContinuation": (
            "An empty line inside a continued instruction is skipped today and will be an error."
            " Remove it, or make it a comment."
        ),
        "RedundantTargetPlatform": (
            "The target platform is what FROM uses anyway; leave --platform out."
        ),
        "ReservedStageName": "scratch and context have a meaning of their own: pick another name.",
        "SecretsUsedInArgOrEnv": (
            "ARG and ENV end up in the image's history and configuration, where everybody who has"
            " the image can read them. Mount the value with RUN --mount=type=secret."
        ),
        "StageNameCasing": "Stage names are compared in lower case; write them so.",
        "UndefinedArgInFrom": (
            "FROM uses a name that no ARG before the first FROM declares, so it is empty."
        ),
        "UndefinedVar": (
            "Neither ENV nor ARG of this stage defines this name, so it expands to nothing (unless"
            " the base image defines it, which only an engine knows). A global ARG must be declared"
            " again in the stage; for a `$` that is meant literally write \\$."
        ),
        "WorkdirRelativePath": (
            "The first WORKDIR of a stage is relative: where it leads depends on the base image"
            " and changes with it."
        ),
    }
)
EXPERIMENTAL = frozenset({"InvalidDefinitionDescription"})
