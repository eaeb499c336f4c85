"""Image references: ``[domain/]path[:tag][@digest]``, normalised as Docker does."""

from __future__ import annotations

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

DEFAULT_DOMAIN = "docker.io"
_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL = "library/"
_LONGEST_PATH = 255

_HOST_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_TAG = r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = late_pattern(
    rf"({_DOMAIN})/({_PATH_PART}(?:/{_PATH_PART})*)(?::({_TAG}))?(?:@({_DIGEST}))?"
)
_IDENTIFIER = late_pattern(r"[a-f0-9]{64}")
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_REGISTERED_DIGEST = late_pattern(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image.

    Attributes:
        domain: the registry, e.g. ``docker.io`` or ``localhost:5000``.
        path: the repository within it, e.g. ``library/alpine``.
        tag: ``None`` when only a digest was given; ``latest`` when neither was.
        digest: e.g. ``sha256:…``, or ``None``.
        explicit_domain: whether the user wrote the domain.
    """

    domain: str
    path: str
    tag: str | None
    digest: str | None
    explicit_domain: bool

    @property
    def name(self) -> str:
        """Domain and path, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar(self) -> str:
        """The short form people use: without ``docker.io``, ``library/`` of official images."""
        name = self.path if self.domain == DEFAULT_DOMAIN else self.name
        if name.startswith(_OFFICIAL) and self.domain == DEFAULT_DOMAIN and name.count("/") == 1:
            name = name.removeprefix(_OFFICIAL)
        return name + self._suffix

    def __str__(self) -> str:
        return self.name + self._suffix

    @property
    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag


def parse_reference(text: str) -> Reference:
    """Read and normalise a reference: missing domain, namespace and tag are filled in.

    Raises:
        ValueError: the text BuildKit puts after ``failed to parse stage name "…": ``.
    """
    if _IDENTIFIER.fullmatch(text):
        raise ValueError(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        )
    domain, remainder, explicit = _split_domain(text)
    _check_case(remainder)
    match = _REFERENCE.fullmatch(f"{domain}/{remainder}")
    if match is None:
        raise ValueError(_complaint(f"{domain}/{remainder}"))
    path, tag, digest = match[2], match[3], match[4]
    if len(path) > _LONGEST_PATH:
        raise ValueError(f"repository name must not be more than {_LONGEST_PATH} characters")
    if digest:
        _check_digest(digest)
    elif not tag:
        tag = "latest"
    return Reference(match[1], path, tag, digest, explicit)


def _split_domain(text: str) -> tuple[str, str, bool]:
    first, slash, rest = text.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, _OFFICIAL + text, False
    if not _is_domain(first):
        return DEFAULT_DOMAIN, text, False
    domain = DEFAULT_DOMAIN if first == _LEGACY_DOMAIN else first
    official = domain == DEFAULT_DOMAIN and "/" not in rest
    return domain, _OFFICIAL + rest if official else rest, True


def _is_domain(first: str) -> bool:
    return first == "localhost" or "." in first or ":" in first or first != first.lower()


def _check_case(remainder: str) -> None:
    repository = remainder.partition(":")[0]
    if repository != repository.lower():
        raise ValueError(
            f"invalid reference format: repository name ({repository}) must be lowercase"
        )


def _complaint(full: str) -> str:
    if _REFERENCE.fullmatch(full.lower()):
        return "repository name must be lowercase"
    return "invalid reference format"


def _check_digest(digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        known_form = _REGISTERED_DIGEST.fullmatch(digest)
        raise ValueError(
            "unsupported digest algorithm" if known_form else "invalid checksum digest format"
        )
    if len(encoded) != length:
        raise ValueError("invalid checksum digest length")
    if encoded != encoded.lower():
        raise ValueError("invalid checksum digest format")
