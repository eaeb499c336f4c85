"""Lines, directives, escapes: how the text of a Dockerfile is read."""

from __future__ import annotations

from ..case import Case
from .reasons import NEWER_WORDS

CASES = (
    Case("comments and blank lines", "# one\n\n  # two\nFROM bb\n\n# three\nENV A=1\n"),
    Case(
        "comment and blank line inside a continuation",
        "FROM bb\nRUN echo a > /f && \\\n# not here\n\n   # nor here\n    echo b >> /f\n",
    ),
    Case("a hash in a line is text", "FROM bb\nENV A=1#2\nRUN echo a # b\nLABEL x='#'"),
    Case("a keyword split over lines", "FROM bb\nEN\\\nV A=1\nRU\\\nN echo x > /f"),
    Case("a word split over lines", 'FROM bb\nENV A="x\\\ny" B=1\nRUN echo "a\\\nb" > /f'),
    Case("a flag split over lines", "FROM bb\nCOPY --cho\\\nwn=5:6 a /a", {"a": "1"}),
    Case(
        "white space of the next line is kept", "FROM bb\nENV A=a\\\n   B=b\nRUN echo x\\\n y > /f"
    ),
    Case("a continuation that ends the file", "FROM bb\nRUN echo a > /f \\"),
    Case("a backslash before spaces continues", "FROM bb\nRUN echo a \\  \t\n  b > /f"),
    Case(
        "two backslashes do not continue",
        "FROM bb\nLABEL a=b\\\\\nRUN echo x > /f",
        tree={"/f": "x\n"},
        config={"Labels": {"a": "b\\"}},
        since=None,
    ),
    Case("CR LF at the ends of lines", b"FROM bb\r\nENV A=1\r\nRUN echo \\\r\n x > /f\r\n"),
    Case("a byte order mark", b"\xef\xbb\xbfFROM bb\nENV A=1\n"),
    Case("tabs between words", "FROM\tbb\nENV\tA=1\tB=2\nRUN\techo x > /f"),
    Case("keywords in any case", "from bb\nenV A=1\nrUn echo x > /f"),
    Case("unicode in values", "FROM bb\nLABEL é=ü 名=前\nENV Ä=ö\nRUN echo 'é' > /é"),
    Case(
        "the escape directive",
        "# escape=`\nFROM bb\nRUN echo a `\n  b > /f\nLABEL p=c:\\d q=a`$b",
        config={"Labels": {"p": "c:\\d", "q": "a$b"}},
        tree={"/f": "a b\n"},
        since=None,
    ),
    Case(
        "escape after a comment is a comment",
        "# hello\n# escape=`\nFROM bb\nRUN echo a \\\n  b > /f",
    ),
    Case(
        "escape after a blank line is a comment",
        b"\n# escape=`\nFROM bb\nRUN echo a \\\n b > /f",
        tree={"/f": "a b\n"},
        since=None,
    ),
    Case(
        "escape after syntax",
        "# syntax=docker/dockerfile:1\n# escape=`\nFROM bb\nRUN echo a `\n  b > /f",
        tree={"/f": "a b\n"},
        since=None,
        buildkit={"build": "the frontend would have to be downloaded"},
    ),
    Case(
        "escape twice",
        "# escape=`\n# escape=\\\nFROM bb",
        fails="only one escape parser directive can be used",
    ),
    Case(
        "escape of nothing known",
        "# escape=x\nFROM bb",
        fails="invalid escape token 'x' does not match ` or \\",
    ),
    Case("no instruction", "# only a comment\n", fails="file with no instructions"),
    Case("nothing", b"", fails="the Dockerfile cannot be empty"),
    Case(
        "no stage",
        "ARG A=1\n",
        fails="dockerfile contains no stages to build",
        buildkit={"panic": "index out of range"},
    ),
    Case(
        "an instruction before FROM",
        "RUN true\nFROM bb",
        fails="no build stage in current context",
    ),
    Case(
        "an unknown instruction",
        "FROM bb\nFRUN true",
        fails="unknown instruction: FRUN (did you mean RUN?)",
    ),
    Case(
        "an unknown flag",
        "FROM bb\nCOPY --chwn=1 a b",
        fails="unknown flag: --chwn (did you mean chown?)",
        buildkit=NEWER_WORDS,
    ),
    Case(
        "a flag twice",
        "FROM bb\nCOPY --chown=1 --chown=2 a b",
        fails="duplicate flag specified: --chown",
        buildkit=NEWER_WORDS,
    ),
    Case(
        "a flag after an argument is an argument",
        "FROM bb\nCOPY a --chown=1 /x/",
        {"a": "1", "--chown=1": "2"},
        tree={"/x/": "", "/x/a": "1", "/x/--chown=1": "2"},
        since=None,
    ),
    Case(
        "flags of ARG and HEALTHCHECK NONE are not looked at",
        "FROM bb\nARG --bogus x\nHEALTHCHECK --bogus NONE",
        config={"Healthcheck": {"Test": ["NONE"]}},
        since=None,
    ),
    Case(
        "a flag of USER", "FROM bb\nUSER --x app", fails="unknown flag: --x", buildkit=NEWER_WORDS
    ),
    Case(
        "a trailing comment is no comment",
        "FROM bb # base",
        fails="FROM requires either one or three arguments",
    ),
)
