"""Names and passwords in addresses: hidden where they are shown, taken out where they are used."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit, urlunsplit

from pytest_zlayer.dataclass import dataclass
from pytest_zlayer.lazy import late_pattern

_PASSWORD = late_pattern(r"(://[^/\s:@]*):[^/\s]*@")
# Where there is only one word it is a token; of ssh it is the name of a user.
_TOKEN = late_pattern(r"(\bhttps?://)[^/\s:@]+@", re.IGNORECASE)
HIDDEN = "xxxxx"


def redacted(text: str) -> str:
    """A text without the passwords and tokens of the addresses in it."""
    return _TOKEN.sub(rf"\1{HIDDEN}@", _PASSWORD.sub(rf"\1:{HIDDEN}@", text))


@dataclass(frozen=True, slots=True)
class Address:
    """An http address without credentials, and these: ``name:password``, or ``None``."""

    url: str
    credentials: str | None = None

    @property
    def host(self) -> str:
        """The host, with its port if one is written."""
        return urlsplit(self.url).netloc


def split_credentials(url: str) -> Address:
    """The address and the credentials in it; of anything but http and https the text itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return Address(url)
    who, at, host = parts.netloc.rpartition("@")
    if parts.scheme.lower() not in ("http", "https") or not at:
        return Address(url)
    name, _, password = who.partition(":")
    plain = urlunsplit(parts._replace(netloc=host))
    return Address(plain, f"{unquote(name)}:{unquote(password)}")
