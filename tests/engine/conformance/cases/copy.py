"""COPY: sources, destinations, and the flags every buildah knows."""

from __future__ import annotations

from ..case import LONG_AGO, Case, Dir, File, Hard, Link, Special
from .reasons import CHMOD_ON_THE_WAY, FROM_SCRATCH, LINK_FOLLOWED, SET_ID

_TREE = {
    "d/a": "a",
    "d/sub/b": "b",
    "d/sub/deep/c": "c",
    "d/empty/": Dir(mode=0o711),
    "d/link": Link("a"),
    "d/dangling": Link("/nowhere"),
}

CASES = (
    # --- files
    Case("file to a file", "FROM bb\nCOPY a /srv/b", {"a": "hello"}),
    Case("file into a directory that is there", "FROM bb\nCOPY a /tmp", {"a": "hello"}),
    Case("file into a directory that is not", "FROM bb\nCOPY a /x/y/z/", {"a": "hello"}),
    Case("several files need a directory", "FROM bb\nCOPY a b /x/", {"a": "1", "b": "2"}),
    Case("a file over a file", "FROM bb\nCOPY a /etc/passwd", {"a": "hello"}),
    Case("the same file twice", "FROM bb\nCOPY a /x\nCOPY b /x", {"a": "1", "b": "2"}),
    Case("an empty file", "FROM bb\nCOPY a /a", {"a": ""}),
    Case("a large file", "FROM bb\nCOPY a /a", {"a": b"0123456789abcdef" * 100_000}),
    Case(
        "modes are kept, setuid too",
        "FROM bb\nCOPY . /srv/",
        {f"m{mode:04o}": File("x", mode) for mode in (0o600, 0o777, 0o400, 0o4755, 0o2755, 0o6711)},
        differs={"/srv/* mode": SET_ID},
    ),
    Case(
        "owners in the context do not count",
        "FROM bb\nCOPY . /srv/",
        {"a": File("x", owner="12:34"), "d/": Dir(owner="56:78"), "l": Link("a", owner="9:9")},
        as_root=True,
    ),
    Case("times of files are kept", "FROM bb\nCOPY a /a", {"a": File("x", mtime=1_000_000_000)}),
    Case("an old time is kept", "FROM bb\nCOPY a /a", {"a": File("old", mtime=1)}),
    # --- directories
    Case("directory: its contents", "FROM bb\nCOPY d /srv/", _TREE),
    Case("directory to a new name", "FROM bb\nCOPY d /srv/x/y", _TREE),
    Case("directory with a slash at the end", "FROM bb\nCOPY d/ /srv", _TREE),
    Case("directory with a dot at the end", "FROM bb\nCOPY d/. /srv/.", _TREE),
    Case("two directories into one", "FROM bb\nCOPY d e /srv/", {**_TREE, "e/f": "f"}),
    Case("the whole context", "FROM bb\nCOPY . /srv", _TREE),
    Case("the whole context by slash", "FROM bb\nCOPY / /srv", _TREE),
    Case("a directory merges with one that is there", "FROM bb\nCOPY d /etc", _TREE),
    Case(
        "modes of directories",
        "FROM bb\nCOPY d /srv/",
        {"d/p/": Dir(0o700), "d/s/": Dir(0o1777), "d/g/": Dir(0o2755), "d/p/x": "x"},
        differs={"/srv/g mode": SET_ID},
    ),
    Case(
        "the mode of the source directory itself",
        "FROM bb\nCOPY d /srv/new",
        {"d/": Dir(0o700), "d/x": "x"},
    ),
    Case(
        "the mode of a directory that is there",
        "FROM bb\nRUN mkdir -m 700 /srv\nCOPY d /srv",
        {"d/": Dir(0o755), "d/x": "x"},
    ),
    Case(
        "the mode of a directory inside that is there",
        "FROM bb\nRUN mkdir -p /srv && mkdir -m 700 /srv/sub && chown 5:5 /srv/sub\nCOPY d /srv",
        {"d/sub/x": "x"},
    ),
    Case("an empty directory", "FROM bb\nCOPY d /srv/", {"d/": ""}),
    Case("an empty context", "FROM bb\nCOPY . /srv/"),
    # --- destinations
    Case("relative to the working directory", "FROM bb\nWORKDIR /w/x\nCOPY a ../b", {"a": "1"}),
    Case("into the working directory", "FROM bb\nWORKDIR /w\nCOPY a .", {"a": "1"}),
    Case("into the working directory, with slash", "FROM bb\nWORKDIR /w\nCOPY a ./", {"a": "1"}),
    Case("without a working directory", "FROM bb\nCOPY a b", {"a": "1"}),
    Case("to the root", "FROM bb\nCOPY a /", {"a": "1"}),
    Case(
        "to scratch",
        "FROM scratch\nCOPY a /x/y/a",
        {"a": "1"},
        base="scratch",
        differs=FROM_SCRATCH,
    ),
    Case("dots in the destination", "FROM bb\nCOPY a /x/../y/./a", {"a": "1"}),
    Case("a destination with variables", "FROM bb\nENV D=/srv\nCOPY a $D/${D}/", {"a": "1"}),
    Case("a source with variables", "FROM bb\nARG V=a\nCOPY $V.txt /x/", {"a.txt": "1"}),
    Case("JSON form with spaces", 'FROM bb\nCOPY ["a b", "/x y/"]', {"a b": "1"}),
    Case("the keyword in small letters", "from bb\ncopy a /a", {"a": "1"}),
    Case(
        "a dash-dash ends flags", "FROM bb\nCOPY -- a /a", {"a": "1"}, since=None, tree={"/a": "1"}
    ),
    # --- links
    Case("a link as the source is followed", "FROM bb\nCOPY l /x", {"a": "1", "l": Link("a")}),
    Case(
        "a link to a directory as the source is followed",
        "FROM bb\nCOPY l /x/",
        {"d/a": "1", "l": Link("d")},
    ),
    Case("links inside a directory stay links", "FROM bb\nCOPY d /x/", _TREE),
    Case(
        "a link on the way to the source",
        "FROM bb\nCOPY l/a /x/",
        {"d/a": "1", "l": Link("d")},
    ),
    Case(
        "a destination that is a link to a directory",
        "FROM bb\nRUN mkdir /real && ln -s /real /link\nCOPY a /link/\nCOPY a /link/b",
        {"a": "1"},
    ),
    Case(
        "a directory onto a link to a directory",
        "FROM bb\nRUN mkdir /real && ln -s real /link\nCOPY d /link",
        _TREE,
    ),
    Case(
        "a file onto a link to a file",
        "FROM bb\nRUN echo old > /real && ln -s /real /link\nCOPY a /link",
        {"a": "1"},
        tree={"/real": "1", "/link": Link("/real")},
        differs={"/link *": LINK_FOLLOWED, "/real content": LINK_FOLLOWED},
    ),
    Case(
        "a link over a file",
        "FROM bb\nRUN mkdir /x && echo old > /x/l\nCOPY d /x",
        {"d/l": Link("a"), "d/a": "1"},
    ),
    Case(
        "a file over a link inside a directory",
        "FROM bb\nRUN mkdir /x && ln -s /etc/passwd /x/a\nCOPY d /x",
        {"d/a": "1"},
    ),
    # --- wildcards
    Case("a star", "FROM bb\nCOPY *.txt /x/", {"a.txt": "1", "b.txt": "2", "c.md": "3"}),
    Case("a question mark", "FROM bb\nCOPY ?.txt /x/", {"a.txt": "1", "bb.txt": "2"}),
    Case("a set", "FROM bb\nCOPY [ab].txt /x/", {"a.txt": "1", "b.txt": "2", "c.txt": "3"}),
    Case(
        "a star does not cross a slash",
        "FROM bb\nCOPY d/*/x /x/",
        {"d/a/x": "1", "d/a/b/x": "2", "d/x": "3"},
    ),
    Case("a star takes dot files", "FROM bb\nCOPY * /x/", {".a": "1", "b": "2", "d/c": "3"}),
    Case(
        "a star takes the contents of directories",
        "FROM bb\nCOPY d* /x/",
        {"d1/a": "1", "d2/b": "2", "d3": "3"},
    ),
    Case(
        "a wildcard that matches nothing",
        "FROM bb\nCOPY a no* /x/",
        {"a": "1"},
        tree={"/x/": "", "/x/a": "1"},
        since=None,
    ),
    # --- hard links, special files, attributes
    Case(
        "hard links within a copy",
        "FROM bb\nCOPY d /x/",
        {"d/a": "1", "d/b": Hard("d/a"), "d/s/c": Hard("d/a")},
    ),
    Case("a FIFO", "FROM bb\nCOPY d /x/", {"d/f": Special("fifo", 0o640), "d/a": "1"}),
    Case(
        "device nodes",
        "FROM bb\nCOPY d /x/",
        {"d/n": Special("character", 0o666, (1, 3)), "d/b": Special("block", 0o600, (7, 0))},
        as_root=True,
    ),
    Case("sockets are left out", "FROM bb\nCOPY d /x/", {"d/s": Special("socket"), "d/a": "1"}),
    Case(
        "extended attributes",
        "FROM bb\nCOPY . /x/",
        {"a": File("1", xattrs={"user.colour": b"blue"})},
    ),
    # --- --chown, --chmod, --from
    Case("--chown by ids", "FROM bb\nCOPY --chown=12:34 d /x/", _TREE),
    Case("--chown by one id", "FROM bb\nCOPY --chown=12 a /x/", {"a": "1"}),
    Case("--chown by names", "FROM bb\nCOPY --chown=app:app d /x/", _TREE),
    Case("--chown by one name takes its group", "FROM bb\nCOPY --chown=app a /x/", {"a": "1"}),
    Case("--chown user id of somebody", "FROM bb\nCOPY --chown=1000 a /x/", {"a": "1"}),
    Case("--chown group by name", "FROM bb\nCOPY --chown=7:app a /x/", {"a": "1"}),
    Case("--chown with variables", "FROM bb\nARG U=app\nCOPY --chown=$U:5 a /x/", {"a": "1"}),
    Case(
        "--chown of a user who is not there",
        "FROM bb\nCOPY --chown=nobody a /x/",
        {"a": "1"},
        fails="can't find uid for user nobody: no such user: nobody",
    ),
    Case(
        "USER does not own what is copied",
        "FROM bb\nUSER app\nCOPY a /x/",
        {"a": "1"},
    ),
    Case("--chmod octal", "FROM bb\nCOPY --chmod=640 a /x", {"a": File("1", 0o755)}),
    Case(
        "--chmod octal of a directory",
        "FROM bb\nCOPY --chmod=0750 d /x/",
        _TREE,
        differs={"/x mode": CHMOD_ON_THE_WAY},
    ),
    Case("--chmod with setuid", "FROM bb\nCOPY --chmod=4755 a /x", {"a": "1"}),
    Case("--chmod and --chown", "FROM bb\nCOPY --chmod=600 --chown=3:4 a /x", {"a": "1"}),
    Case(
        "--from a stage by name",
        "FROM bb AS one\nRUN mkdir /o && echo x > /o/f\nFROM bb\nCOPY --from=one /o /p",
    ),
    Case(
        "--from a stage by number",
        "FROM bb\nRUN echo x > /f\nFROM scratch\nCOPY --from=0 /f /g",
        base="scratch",
        differs=FROM_SCRATCH,
    ),
    Case(
        "--from keeps owners",
        "FROM bb AS one\nRUN mkdir /o && echo x > /o/f && chown -R 5:6 /o && chmod 750 /o\n"
        "FROM scratch\nCOPY --from=one /o/ /p/",
        base="scratch",
        differs=FROM_SCRATCH,
    ),
    Case(
        "--from an image",
        "FROM scratch\nCOPY --from=bb /etc/passwd /p",
        base="scratch",
        differs=FROM_SCRATCH,
    ),
    Case(
        "--from is rooted in the stage",
        "FROM bb AS one\nRUN echo x > /f\nFROM bb\nCOPY --from=one ../../f f /x/",
        tree={"/x/": "", "/x/f": "x\n"},
    ),
    Case(
        "--from follows links inside the stage",
        "FROM bb AS one\nRUN mkdir /d && echo in > /d/f && ln -s /d /l\n"
        "FROM bb\nCOPY --from=one /l/f /x",
    ),
    Case(
        "--from with a wildcard",
        "FROM bb AS one\nRUN mkdir /d && touch -d @1000000000 /d/a1 /d/a2 /d/b\n"
        "FROM bb\nCOPY --from=one /d/a* /x/",
    ),
    # --- what goes wrong
    Case("a source that is missing", "FROM bb\nCOPY no /x", {"a": "1"}, fails='"/no": not found'),
    Case(
        "a directory onto a file",
        "FROM bb\nCOPY d /etc/passwd",
        _TREE,
        fails="cannot copy to non-directory: /etc/passwd",
    ),
    Case(
        "a file below a file",
        "FROM bb\nCOPY a /etc/passwd/x",
        {"a": "1"},
        fails="mkdir /etc/passwd: not a directory",
    ),
    Case(
        "two sources to one file: the last stays",
        "FROM bb\nCOPY a b /x",
        {"a": "1", "b": "2"},
        tree={"/x": "2"},
        since=None,
    ),
    Case(
        "quotes are no quotes outside JSON",
        'FROM bb\nCOPY "a b" /x/',
        {"a b": "1"},
        fails='failed to process "\\"a": unexpected end of statement while looking for matching '
        'double-quote\nfailed to process "b\\"": unexpected end of statement while looking for '
        "matching double-quote",
    ),
    Case(
        "a URL",
        "FROM bb\nCOPY http://127.0.0.1:1/x /x/",
        fails="source can't be a URL for COPY",
    ),
    Case(
        "variables in --from",
        "FROM bb AS one\nFROM bb\nARG S=one\nCOPY --from=$S / /x/",
        fails="variable expansion is not supported for --from, define a new stage with FROM "
        "using ARG from global scope as a workaround",
    ),
    Case(
        "a stage number that is not there",
        "FROM bb\nCOPY --from=2 /a /b",
        fails="invalid stage index 2",
    ),
    Case(
        "--chmod that is no mode",
        "FROM bb\nCOPY --chmod=999 a /x",
        {"a": "1"},
        fails="invalid chmod parameter: '999'. it should be octal string and between 0 and 07777",
    ),
    # --- what old buildahs do not know
    Case(
        "--chmod symbolic",
        "FROM bb\nCOPY --chmod=u=rwX,g-w,o+t d /x/",
        {"d/": Dir(0o777), "d/f": File("1", 0o666), "d/x": File("2", 0o775)},
        tree={"/x/": "", "/x/f": File("1", 0o646), "/x/x": File("2", 0o755)},
        since=None,
    ),
    Case(
        "--chmod symbolic go=u",
        "FROM bb\nCOPY --chmod=go=u a /x",
        {"a": File("1", 0o640)},
        tree={"/x": File("1", 0o666)},
        since=None,
    ),
    Case(
        "--exclude",
        "FROM bb\nCOPY --exclude=*.md --exclude=sub d /x/",
        {"d/a": "a", "d/b.md": "b", "d/sub/c": "c", "d/other/e.md": "e"},
        tree={"/x/": "", "/x/a": "a", "/x/other/": "", "/x/other/e.md": "e"},
        since=None,
    ),
    Case(
        "--exclude with an exception",
        "FROM bb\nCOPY --exclude=**/*.md --exclude=!keep.md d /x/",
        {"d/b.md": "b", "d/keep.md": "k", "d/s/c.md": "c", "d/s/d": "d"},
        tree={"/x/": "", "/x/keep.md": "k", "/x/s/": "", "/x/s/d": "d"},
        since=None,
    ),
    Case(
        "--parents",
        "FROM bb\nCOPY --parents x/a.txt y/z /d/",
        {"x/a.txt": "1", "x/b": "2", "y/z/c": "3"},
        tree={
            "/d/": "",
            "/d/x/": "",
            "/d/x/a.txt": "1",
            "/d/y/": "",
            "/d/y/z/": "",
            "/d/y/z/c": "3",
        },
        since=None,
    ),
    Case(
        "--parents with a pivot",
        "FROM bb\nCOPY --parents x/./y/*.txt /d/",
        {"x/y/a.txt": "1", "x/y/b.txt": "2", "x/y/c": "3"},
        tree={"/d/": "", "/d/y/": "", "/d/y/a.txt": "1", "/d/y/b.txt": "2"},
        since=None,
    ),
    Case(
        "--parents keeps the modes of parents",
        "FROM bb\nCOPY --parents p/q/a /d/",
        {"p/": Dir(0o711), "p/q/": Dir(0o700), "p/q/a": "1"},
        tree={"/d/": "", "/d/p/": Dir(0o711), "/d/p/q/": Dir(0o700), "/d/p/q/a": "1"},
        since=None,
    ),
    Case(
        "--parents with a double star",
        "FROM bb\nCOPY --parents **/*.txt /d/",
        {"x/y/a.txt": "1", "b.txt": "2", "x/c": "3", "z/d": "4"},
        tree={"/d/": "", "/d/x/": "", "/d/x/y/": "", "/d/x/y/a.txt": "1", "/d/b.txt": "2"},
        since=None,
    ),
    Case(
        "--link",
        "FROM bb\nRUN mkdir /real && ln -s /real /link\nCOPY --link a /link/b/",
        {"a": "1"},
        tree={"/real/": "", "/link/": "", "/link/b/": "", "/link/b/a": "1"},
        since=None,
    ),
    Case(
        "--link with --chown",
        "FROM bb\nCOPY --link --chown=5:6 d /x/y/",
        {"d/a": "1"},
        tree={"/x/": Dir(owner="5:6"), "/x/y/": Dir(owner="5:6"), "/x/y/a": File("1", owner="5:6")},
        since=None,
    ),
    # --- here-documents
    Case(
        "a here-document",
        "FROM bb\nCOPY <<EOF /srv/\nhello\n  there\nEOF\n",
        tree={"/srv/": "", "/srv/EOF": "hello\n  there\n"},
        since="1.33",
        differs={"/srv/EOF mode": "BuildKit writes it 0644"},
    ),
    Case(
        "a here-document to a file",
        "FROM bb\nCOPY <<EOF /srv/f\nhello\nEOF\n",
        tree={"/srv/": "", "/srv/f": "hello\n"},
        since=None,
    ),
    Case(
        "a here-document is expanded",
        "FROM bb\nENV V=x\nCOPY <<EOF /f\na $V ${V}y ${N:-none} 'quo$V' \"$V\"\nEOF\n",
        tree={"/f": "a x xy none 'quox' \"x\"\n"},
        since=None,
    ),
    Case(
        "a here-document eats backslashes",
        "FROM bb\nENV V=x\nCOPY <<EOF /f\na\\tb \\\\ \\$V\nEOF\n",
        tree={"/f": "atb \\ $V\n"},
        since=None,
    ),
    Case(
        "a quoted here-document is not expanded",
        "FROM bb\nENV V=x\nCOPY <<'EOF' /f\na\\tb $V\nEOF\n",
        tree={"/f": "a\\tb $V\n"},
        since=None,
    ),
    Case(
        "a here-document without its tabs",
        "FROM bb\nCOPY <<-EOF /f\n\t\ta\n\t b\n  c\n\tEOF\n",
        tree={"/f": "a\n b\n  c\n"},
        since=None,
    ),
    Case(
        "several here-documents and a file",
        "FROM bb\nCOPY <<one a <<two /x/\n1\none\n2\ntwo\n",
        {"a": "A"},
        tree={"/x/": "", "/x/one": "1\n", "/x/two": "2\n", "/x/a": "A"},
        since=None,
    ),
    Case(
        "a here-document with --chmod and --chown",
        "FROM bb\nCOPY --chmod=755 --chown=app <<EOF /f\nx\nEOF\n",
        tree={"/f": File("x\n", 0o755, "1000:1000")},
        since=None,
    ),
    Case(
        "a here-document as the destination",
        "FROM bb\nCOPY a <<EOF\nx\nEOF\n",
        {"a": "1"},
        fails="COPY cannot accept a heredoc as a destination",
    ),
    Case(
        "a here-document with an odd end",
        "FROM bb\nCOPY <<EOF; /f\nx\nEOF;\n",
        tree={"/f": "x\n"},
        since=None,
    ),
    Case(
        "a here-document that does not end",
        "FROM bb\nCOPY <<EOF; /f\nx\nEOF\n",
        fails="unterminated heredoc",
    ),
    # --- named contexts
    Case(
        "--from a named context",
        "FROM bb\nCOPY --from=extra a /x/",
        contexts={"extra": {"a": "from extra"}},
    ),
    Case(
        "a named context wins over an image",
        "FROM scratch\nCOPY --from=bb a /x/",
        contexts={"bb": {"a": "not the image"}},
        base="scratch",
        differs=FROM_SCRATCH,
    ),
    Case(
        "a named context with its own ignore file",
        "FROM bb\nCOPY --from=extra . /x/",
        contexts={"extra": {"a": "1", "b": "2", ".dockerignore": "b"}},
        tree={"/x/": "", "/x/a": "1", "/x/.dockerignore": "b"},
        since=None,
    ),
    Case(
        "a named context stands for a base image",
        "FROM ubuntu\nCOPY a /x/",
        {"a": "1"},
        contexts={"ubuntu": "docker-image://localhost/bb"},
    ),
    Case(
        "times of a copied directory",
        "FROM bb\nCOPY d /x",
        {"d/": Dir(mtime=LONG_AGO), "d/a": "1"},
        tree={"/x/": Dir(mtime=LONG_AGO), "/x/a": File("1", mtime=LONG_AGO)},
        since=None,
    ),
)
