"""Names that tools stumble over."""

from __future__ import annotations

from ..case import Case, Things

_ODD: Things = {
    "d/-rf": "1",
    "d/--": "2",
    "d/a\nb": "3",
    "d/*": "4",
    "d/?": "5",
    "d/[x]": "6",
    "d/x": "7",
    "d/a\\b": "8",
    "d/ ": "9",
    "d/é": "10",
    "d/e\u0301": "11",
    "d/\udcff\udcfe": "12",
    "d/'\"`$x": "13",
    "d/\x01\x7f": "14",
    "d/名前/ファイル": "15",
    "d/#c": "16",
    "d/~": "17",
    "d/...": "18",
    "d/" + "l" * 250: "19",
    "d/:a:b": "20",
    "d/a=b": "21",
    "d/%s%n": "22",
    "d/.wh": "23",
}

CASES = (
    Case("names: a directory of odd ones", "FROM bb\nCOPY d /x/", _ODD),
    Case("names: the whole context", "FROM bb\nADD . /x/", _ODD),
    Case(
        "names: --from a stage", "FROM bb AS one\nCOPY d /d\nFROM bb\nCOPY --from=one /d /e/", _ODD
    ),
    Case("names: a leading dash", "FROM bb\nCOPY ./-rf /x/-rf", {"-rf": "1"}),
    Case("names: a dash by JSON", 'FROM bb\nCOPY ["-x", "/x/"]', {"-x": "1"}),
    Case(
        "names: an escaped star in a pattern",
        "FROM bb\nCOPY a\\\\*[b] /x/",
        {"a*b": "1", "axb": "2"},
        tree={"/x/": "", "/x/a*b": "1"},
        since=None,
    ),
    Case(
        "names: an escaped star alone is no pattern",
        "FROM bb\nCOPY a\\\\*b /x/",
        {"a*b": "1"},
        fails='"/a\\\\*b": not found',
    ),
    Case(
        "names: a set that stands for a bracket",
        "FROM bb\nCOPY [[]x] /x/",
        {"[x]": "1", "x": "2"},
        tree={"/x/": "", "/x/[x]": "1"},
        since=None,
    ),
    Case(
        "names: a bracket is a pattern",
        "FROM bb\nCOPY [x] /x/",
        {"[x]": "1", "x": "2"},
        tree={"/x/": "", "/x/x": "2"},
        since=None,
    ),
    Case("names: unicode in the Dockerfile", "FROM bb\nCOPY é /ü/", {"é": "1"}),
    Case(
        "names: a newline by JSON",
        'FROM bb\nCOPY ["a\\nb", "/x/"]',
        {"a\nb": "1"},
        buildkit={"build": "BuildKit cannot ask its client for such a name"},
    ),
    Case(
        "names: quotes by JSON",
        r"""FROM bb
COPY ["a\\\"b", "c\\'d", "/x/"]""",
        {'a"b': "1", "c'd": "2"},
        tree={"/x/": "", '/x/a"b': "1", "/x/c'd": "2"},
        since=None,
    ),
    Case(
        "names: a destination with odd characters",
        'FROM bb\nCOPY ["a", "/x y/*[z]/a b"]',
        {"a": "1"},
    ),
    Case("names: long paths", "FROM bb\nCOPY . /x/", {"/".join(["p" * 100] * 12): "1"}),
    Case("names: many files", "FROM bb\nCOPY . /x/", {f"f{one}": str(one) for one in range(300)}),
)
