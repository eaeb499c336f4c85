"""Images copied from registries, archives and directories, and to them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pytest_zlayer.buildah.commands import transfer
from pytest_zlayer.buildah.commands.commander import Commander
from pytest_zlayer.buildah.commands.probe import Features
from pytest_zlayer.buildah.process.output import LineSink
from pytest_zlayer.buildah.storage.info import StorageInfo
from pytest_zlayer.choices import PullMode


class Registries:
    """Copies images and manifest lists between one storage and other places.

    Args:
        commander: runs buildah.
        networked: the same with the proxies of the user.
        features: what the installed buildah knows.
        storage: where images are copied from and to.
        tmpdir: a directory for temporary files.
        temporary_images: how names of images begin that are removed with this process.
    """

    def __init__(
        self,
        commander: Commander,
        *,
        networked: Commander,
        features: Features,
        storage: StorageInfo,
        tmpdir: Path,
        temporary_images: str,
    ) -> None:
        self._commander = commander
        self._networked = networked
        self._features = features
        self._storage = storage
        self._tmpdir = tmpdir
        self._temporary_images = temporary_images

    def pull(
        self,
        reference: str,
        *,
        policy: PullMode = "missing",
        platform: str | None = None,
        on_line: LineSink | None = None,
        on_size: Callable[[int], None] | None = None,
        timeout: float | None = None,
    ) -> str:
        """Gets an image into the store; its id.

        ``missing`` asks nobody when it is there; ``newer`` asks, and is content with the one in
        the store when nobody answers; ``always`` must have an answer; ``never`` only looks here.
        ``on_size`` is called a few times a second with the bytes of it that have come.
        """
        return transfer.pull(
            self._networked, self._features, reference, self._tmpdir, policy=policy,
            platform=platform, on_line=on_line, on_size=on_size, timeout=timeout,
        )  # fmt: skip

    def push(
        self,
        image: str,
        destination: str,
        *,
        on_line: LineSink | None = None,
        timeout: float | None = None,
        format: str | None = None,  # noqa: A002 (buildah's word)
        authfile: Path | None = None,
    ) -> str:
        """Copies an image to a registry or an archive (``oci-archive:PATH``…); its digest there.

        What a registry says it has is read back; so is what :meth:`manifest_push` copies.
        """
        digest = transfer.push(
            self._networked, image, destination, self._tmpdir, on_line=on_line,
            timeout=timeout, format=format, authfile=authfile,
        )  # fmt: skip
        self._check_pushed(destination, digest, timeout, authfile)
        return digest

    def export(self, image: str, directory: Path) -> None:
        """Copies an image into a directory, as ``dir:`` has it, its layers uncompressed."""
        transfer.push(
            self._commander, image, f"dir:{directory}", self._tmpdir, on_line=None, timeout=None,
            format=None, authfile=None, compress=False,
        )  # fmt: skip

    def _check_pushed(
        self, destination: str, digest: str, timeout: float | None, authfile: Path | None
    ) -> None:
        name = f"{self._temporary_images}check-{os.urandom(6).hex()}"
        transfer.check_pushed(
            self._networked, destination, digest, name, timeout=timeout, authfile=authfile
        )

    def manifest_create(self, name: str, *images: str) -> str:
        """Makes a manifest list in the store; its id."""
        return transfer.manifest_create(self._commander, name, images, self._storage)

    def manifest_add(self, name: str, image: str) -> None:
        """Adds an image to a manifest list; safe when several processes add at once.

        With ``docker://`` in front it is one in a registry.
        """
        transfer.manifest_add(self._networked, name, image, self._storage)

    def manifest_push(
        self,
        name: str,
        destination: str,
        *,
        on_line: LineSink | None = None,
        timeout: float | None = None,
        authfile: Path | None = None,
    ) -> str:
        """Copies a manifest list and all its images; its digest there."""
        digest = transfer.manifest_push(
            self._networked, name, destination, self._tmpdir, on_line=on_line,
            timeout=timeout, authfile=authfile,
        )  # fmt: skip
        self._check_pushed(destination, digest, timeout, authfile)
        return digest
