"""The two sets of white space that the language tells apart."""

from __future__ import annotations

SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space. ``str.strip()`` would take U+001C to U+001F as well."""

BLANKS = "\t\v\f\r "
"""What separates a keyword from its arguments and plain words from each other."""
