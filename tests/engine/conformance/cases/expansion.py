"""Variables: their forms, where they come from, and who wins."""

from __future__ import annotations

from ..case import Case

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _labels(text: str, **expected: str) -> dict[str, object]:
    """A Dockerfile with labels to expand, and what must come out of them."""
    return {"text": f"FROM bb\n{text}", "config": {"Labels": expected}}


CASES = (
    # --- forms every buildah knows
    Case("plain and braced", **_labels("ENV A=1\nLABEL x=$A y=${A}b z=$Ab", x="1", y="1b", z="")),
    Case(
        "default", **_labels("ENV A=1 E=\nLABEL x=${A:-d} y=${E:-d} z=${N:-d}", x="1", y="d", z="d")
    ),
    Case(
        "alternative",
        **_labels("ENV A=1 E=\nLABEL x=${A:+d} y=${E:+d} z=${N:+d}", x="d", y="", z=""),
    ),
    Case(
        "nested default", **_labels('ENV A=1\nLABEL x=${N:-${M:-$A}} y=${N:-"a b"}', x="1", y="a b")
    ),
    Case(
        "escaped dollar",
        **_labels("ENV A=1\nLABEL x=\\$A y='$A' z=\"\\$A\"", x="$A", y="$A", z="$A"),
    ),
    Case("dollar alone", **_labels('LABEL x="a$ b" y=$', x="a$ b", y="$")),
    Case(
        "prefix and suffix",
        **_labels(
            "ENV V=foobarfoo\n"
            "LABEL a=${V#foo} b=${V#*o} c=${V##*b} d=${V%foo} e=${V%o*} f=${V%%o*}",
            a="barfoo",
            b="obarfoo",
            c="arfoo",
            d="foobar",
            e="foobarfo",
            f="f",
        ),
        since=None,
    ),
    Case(
        "replacement",
        **_labels(
            "ENV V=a.b.c\nLABEL a=${V/./-} b=${V//./-} c=${V/.*/x}", a="a-b.c", b="a-b-c", c="ax"
        ),
        since=None,
    ),
    # --- forms of BuildKit alone
    Case("default if unset", **_labels("ENV E=\nLABEL x=${E-d} y=${N-d}", x="", y="d"), since=None),
    Case(
        "alternative if set", **_labels("ENV E=\nLABEL x=${E+d} y=${N+d}", x="d", y=""), since=None
    ),
    Case(
        "required and there",
        **_labels("ENV A=1\nLABEL x=${A:?no} y=${A?no}", x="1", y="1"),
        since=None,
    ),
    Case(
        "required and missing",
        "FROM bb\nLABEL x=${N:?missing}",
        fails='failed to process "${N:?missing}": N: missing',
    ),
    Case(
        "a star crosses slashes",
        **_labels("ENV P=x/y/z\nLABEL a=${P##*/} b=${P%%/*}", a="z", b="x"),
        since=None,
    ),
    Case(
        "a star with double slash replaces once",
        **_labels("ENV P=foo\nLABEL a=${P//*/x}", a="x"),
        since=None,
    ),
    Case(
        "special parameters are empty",
        **_labels("LABEL x=a$$b y=a$@b z=a$*b", x="ab", y="ab", z="ab"),
        since=None,
    ),
    Case("digits", **_labels("LABEL x=a$12b", x="ab"), since=None),
    Case(
        "no such modifier",
        "FROM bb\nLABEL x=${A^}",
        fails='failed to process "${A^}": unsupported modifier (^) in substitution',
    ),
    Case(
        "no end",
        "FROM bb\nLABEL x=${A:-b",
        fails="failed to process \"${A:-b\": syntax error: missing '}'",
    ),
    # --- ARG and ENV
    Case("ARG with a default", "FROM bb\nARG A=1\nENV B=$A"),
    Case("ARG given", "FROM bb\nARG A=1\nENV B=$A", args={"A": "2"}),
    Case("ARG given and empty", "FROM bb\nARG A=1\nENV B=$A", args={"A": ""}),
    Case("ARG not given", "FROM bb\nARG A\nENV B=x$A"),
    Case("ARG used before it is there", "FROM bb\nENV B=x$A\nARG A=1\nENV C=x$A"),
    Case("ARG default with variables", "FROM bb\nENV E=1\nARG A=${E}2\nENV B=$A"),
    Case("ARG global needs to be named again", "ARG A=1\nFROM bb\nENV B=x$A\nARG A\nENV C=$A"),
    Case("ARG global in FROM", "ARG I=bb\nFROM $I\nENV A=1"),
    Case("ARG global given", "ARG I=no\nFROM ${I}\nENV A=1", args={"I": "bb"}),
    Case(
        "ARG of the stage beats the global one",
        "ARG A=1\nFROM bb\nARG A=2\nENV B=$A",
        config={"Env": [_PATH, "B=2"]},
        since=None,
    ),
    Case(
        "ARG several in one",
        "FROM bb\nARG A=1 B=$A\nENV C=$B",
        config={"Env": [_PATH, "C=1"]},
        since=None,
        buildkit={"config Env": "in newer BuildKits one ARG sees those before it"},
    ),
    Case("ENV after ARG wins", "FROM bb\nARG A=arg\nENV A=env\nRUN echo $A > /f"),
    Case(
        "ARG after ENV wins",
        "FROM bb\nENV A=env\nARG A=arg\nRUN echo $A > /f",
        tree={"/f": "arg\n"},
        config={"Env": [_PATH, "A=env"]},
        since=None,
    ),
    Case(
        "ARG given beats an earlier ENV",
        "FROM bb\nENV A=env\nARG A\nRUN echo $A > /f\nLABEL a=$A",
        args={"A": "given"},
        tree={"/f": "given\n"},
        config={"Env": [_PATH, "A=env"], "Labels": {"a": "given"}},
        since=None,
    ),
    Case("ARG without value leaves ENV alone", "FROM bb\nENV A=env\nARG A\nRUN echo $A > /f"),
    Case(
        "ARG is inherited by a stage built from it",
        "FROM bb AS one\nARG A=1\nFROM one\nRUN echo x$A > /f",
        tree={"/f": "x1\n"},
        differs={"/f content": "BuildKit hands on what ARG set; buildah 1.28 does not"},
    ),
    Case(
        "ARG is not shared by other stages", "FROM bb AS one\nARG A=1\nFROM bb\nRUN echo x$A > /f"
    ),
    Case(
        "platform arguments",
        "FROM bb\nARG TARGETOS\nARG TARGETARCH\nLABEL a=$TARGETOS b=$TARGETARCH",
    ),
    Case(
        "platform arguments have to be named",
        "FROM bb\nLABEL a=x$TARGETOS",
        config={"Labels": {"a": "x"}},
        since=None,
    ),
    Case(
        "a proxy is for RUN alone",
        "FROM bb\nRUN echo $http_proxy > /f\nLABEL a=x$http_proxy",
        args={"http_proxy": "http://127.0.0.1:9"},
        tree={"/f": "http://127.0.0.1:9\n"},
        config={"Labels": {"a": "x"}, "Env": [_PATH]},
        since=None,
    ),
    Case("expansion does not split", "FROM bb\nENV A='b c'\nCOPY $A /x/", {"b c": "1"}),
    Case("no command substitution", **_labels('LABEL a="$(id)" b="`id`"', a="$(id)", b="`id`")),
    Case("no braces, no home", **_labels("LABEL a=~ b={x,y}", a="~", b="{x,y}")),
)
