"""The ignore file."""

from __future__ import annotations

from ..case import Case, Link, Things

_TREE: Things = {
    "a": "a",
    "b.md": "b",
    "d/a": "da",
    "d/b.md": "db",
    "d/e/a": "dea",
    "d/e/b.md": "deb",
    "f/a": "fa",
    ".hidden": "h",
}


def _case(name: str, rules: str, **more: object) -> Case:
    """All of one context but what the rules exclude."""
    context = {**_TREE, ".dockerignore": rules}
    return Case(f"ignore: {name}", "FROM bb\nCOPY . /x/", context, **more)  # type: ignore[arg-type]


def _left(*names: str) -> dict[str, object]:
    """What must be left of the context, the directories too."""
    tree: dict[str, object] = {"/x/": ""}
    for name in names:
        if name.endswith("/"):
            tree[f"/x/{name}"] = ""
        else:
            tree[f"/x/{name}"] = _TREE[name]
    return {"tree": tree}


CASES = (
    _case("a name", "a\n.dockerignore"),
    _case("names are anchored", "b.md\ne\n.dockerignore"),
    _case("a star", "*.md\n*/b.md\n.dockerignore"),
    _case("a double star", "**/b.md\n.dockerignore"),
    _case("a double star in the middle", "d/**/a\n.dockerignore"),
    _case("a directory", "d\n.dockerignore"),
    _case("a directory with a slash", "d/\n.dockerignore"),
    _case("a leading slash", "/d\n.dockerignore"),
    _case("everything but", "*\n!a"),
    _case("below an excluded directory", "d\n!d/e/a\n.dockerignore"),
    _case("the last rule wins", "!a\n*\n!d\nd/e\n"),
    _case("comments and blank lines", "# no\n\n  a  \n.dockerignore\n"),
    _case("an indented hash is a pattern", " #a\n.dockerignore\n"),
    _case("a question mark and a set", "?.md\n[d-f]/a\n.dockerignore"),
    _case("nothing", ""),
    _case(
        "dots in a pattern",
        "./d/../a\n.dockerignore",
        since=None,
        **_left("b.md", "d/", "d/a", "d/b.md", "d/e/", "d/e/a", "d/e/b.md", "f/", "f/a", ".hidden"),
    ),
    _case(
        "CR LF and a byte order mark",
        "\ufeffa\r\n.dockerignore\r\n",
        since=None,
        **_left("b.md", "d/", "d/a", "d/b.md", "d/e/", "d/e/a", "d/e/b.md", "f/", "f/a", ".hidden"),
    ),
    Case(
        "ignore: the file of the Dockerfile wins",
        "FROM bb\nCOPY . /x/",
        {**_TREE, ".dockerignore": "a", "my.dockerignore": "*\n!b.md"},
        dockerfile="my",
        tree={"/x/": "", "/x/b.md": "b"},
        since="1.30",
    ),
    Case(
        "ignore: what is excluded cannot be copied",
        "FROM bb\nCOPY a /x/",
        {"a": "1", ".dockerignore": "a"},
        fails='"/a": not found',
    ),
    Case(
        "ignore: a wildcard passes over what is excluded",
        "FROM bb\nCOPY * /x/",
        {"a": "1", "b": "2", ".dockerignore": "b\n.dockerignore"},
    ),
    Case(
        "ignore: not for --from",
        "FROM bb AS one\nRUN mkdir /d && touch -d @1000000000 /d/a /d/b\n"
        "FROM bb\nCOPY --from=one /d /x/",
        {".dockerignore": "**/a"},
    ),
    Case(
        "ignore: a link to what is excluded",
        "FROM bb\nCOPY d /x/",
        {"d/l": Link("../a"), "a": "1", ".dockerignore": "a"},
    ),
    Case("ignore: ADD too", "FROM bb\nADD . /x/", {**_TREE, ".dockerignore": "d\n.dockerignore"}),
)
