"""Stages: names, targets, what is built and what is inherited; triggers."""

from __future__ import annotations

from ..case import Case, Dir, File
from .reasons import NEWER_WORDS

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CASES = (
    Case(
        "a stage from a stage",
        "FROM bb AS one\nRUN echo 1 > /a\nENV A=1\nFROM one\nRUN echo 2 > /b",
    ),
    Case(
        "three stages",
        "FROM bb AS a\nRUN echo a > /f\nFROM bb AS b\nCOPY --from=a /f /g\n"
        "FROM b\nCOPY --from=a /f /h",
    ),
    Case("the last stage is built", "FROM bb\nENV A=1\nFROM bb\nENV A=2"),
    Case("a target", "FROM bb AS one\nENV A=1\nFROM bb AS two\nENV A=2", target="one"),
    Case(
        "a target in other letters",
        "FROM bb AS one\nENV A=1\nFROM bb\nENV A=2",
        target="ONE",
        config={"Env": [_PATH, "A=1"]},
        since=None,
    ),
    Case(
        "a target by number",
        "FROM bb\nENV A=1\nFROM bb\nENV A=2",
        target="0",
        fails='target stage "0" could not be found',
    ),
    Case(
        "a target that is not there",
        "FROM bb AS one\nFROM bb",
        target="on",
        fails='target stage "on" could not be found (did you mean one?)',
        buildkit=NEWER_WORDS,
    ),
    Case("a stage nobody needs is not run", "FROM bb AS no\nRUN exit 1\nFROM bb\nENV A=1"),
    Case(
        "values in a stage nobody needs do not count",
        "FROM bb AS no\nEXPOSE x\nENV A=${B:?no}\nFROM bb\nENV A=1",
        config={"Env": [_PATH, "A=1"]},
        since=None,
    ),
    Case(
        "syntax in a stage nobody needs counts",
        "FROM bb AS no\nFOO x\nFROM bb",
        fails="unknown instruction: FOO (did you mean FROM?)",
    ),
    Case(
        "references in a stage nobody needs count",
        "FROM bb AS no\nCOPY --from=7 / /\nFROM bb",
        fails="invalid stage index 7",
    ),
    Case("a stage named like its base", "FROM bb AS bb\nENV A=1\nFROM bb\nENV B=2"),
    Case(
        "a name twice: FROM takes the one above",
        "FROM bb AS s\nENV A=1\nFROM s AS s\nENV B=2\nFROM s\nENV C=3",
        config={"Env": [_PATH, "A=1", "B=2", "C=3"]},
        since=None,
    ),
    Case(
        "--from in other letters",
        "FROM bb AS One\nRUN echo x > /f\nFROM bb\nCOPY --from=ONE /f /g",
        tree={"/g": "x\n"},
        since=None,
    ),
    Case(
        "a name of a stage that is none",
        "FROM bb AS 1st",
        fails='invalid name for build stage: "1st", name can\'t start with a number or contain '
        "symbols",
    ),
    Case(
        "itself",
        "FROM bb AS one\nCOPY --from=one / /x",
        fails="circular dependency detected on stage: one",
    ),
    Case(
        "a later stage",
        "FROM bb AS one\nCOPY --from=two / /x\nFROM bb AS two\nFROM one",
        fails='cannot copy from stage "two", it needs to be defined before current stage "one"',
    ),
    Case("an empty base", "FROM $nothing", fails="base name ($nothing) should not be blank"),
    Case(
        "an image name that is none",
        "FROM Foo",
        fails='failed to parse stage name "Foo": invalid reference format: repository name '
        "(library/Foo) must be lowercase",
    ),
    Case("FROM with quotes", 'FROM "bb"\nENV A=1', since=None, config={"Env": [_PATH, "A=1"]}),
    Case("FROM with a platform", "FROM --platform=linux/amd64 bb\nENV A=1"),
    Case(
        "FROM scratch and nothing",
        "FROM scratch\nLABEL a=1",
        config={"Labels": {"a": "1"}},
        since=None,
    ),
    Case(
        "a stage of scratch is filled",
        "FROM bb AS one\nRUN mkdir /d && echo x > /d/f\n"
        "FROM scratch\nCOPY --from=one /d /\nCOPY --from=one /bin/busybox /bin/sh\n"
        'RUN ["/bin/sh", "-c", "echo y > /g"]',
        differs={
            "config WorkingDir": "BuildKit says / where there is no base image",
            "/etc* kind": "BuildKit leaves no mount points of its own behind",
            "/run* kind": "BuildKit leaves no mount points of its own behind",
        },
    ),
    # --- ONBUILD
    Case("ONBUILD is stored", "FROM bb\nONBUILD RUN echo x > /f\nONBUILD COPY . /src\nENV A=1"),
    Case(
        "ONBUILD keeps its text",
        'FROM bb\nONBUILD ENV  A="x  y" \\\n  B=1\nONBUILD CMD [ "a" ]',
        config={"OnBuild": ['ENV  A="x  y"   B=1', 'CMD [ "a" ]']},
        since=None,
    ),
    Case(
        "ONBUILD of a base image",
        "FROM onbuild\nRUN echo after >> /log\nCOPY b /b",
        {"a": "A", "b": "B"},
    ),
    Case(
        "ONBUILD of a base image comes first",
        "FROM onbuild\nRUN cat /src/a /log > /both",
        {"a": "A"},
        base="bb",
        tree={"/src/": "", "/src/a": "A", "/log": "trigger set\n", "/both": "Atrigger set\n"},
        config={"OnBuild": None, "Env": [_PATH, "TRIGGERED=set"]},
        since=None,
    ),
    Case(
        "ONBUILD is not inherited twice",
        "FROM onbuild AS one\nFROM one\nRUN cat /log > /twice",
        {"a": "A"},
        base="bb",
        tree={"/src/": "", "/src/a": "A", "/log": "trigger set\n", "/twice": "trigger set\n"},
        since=None,
    ),
    Case(
        "ONBUILD of a stage",
        "FROM bb AS one\nONBUILD RUN echo x >> /f\nFROM one\nRUN echo y >> /f",
        tree={"/f": "x\ny\n"},
        config={"OnBuild": None},
        since=None,
    ),
    Case(
        "ONBUILD with a here-document",
        "FROM bb AS one\nONBUILD RUN <<EOF\necho a > /f\nEOF\n"
        "ONBUILD COPY <<F /g\n$V\nF\nENV V=v\nFROM one",
        tree={"/f": "a\n", "/g": "v\n"},
        since=None,
    ),
    Case(
        "ONBUILD COPY --from names stages of the child",
        "FROM bb AS one\nONBUILD COPY --from=src /s /t\nFROM bb AS src\nRUN echo s > /s\nFROM one",
        tree={"/t": "s\n"},
        since=None,
        buildkit={"build": "newer BuildKits find any stage above"},
    ),
    Case(
        "ONBUILD of nothing known is stored",
        "FROM bb\nONBUILD FOO x",
        config={"OnBuild": ["FOO x"]},
        since=None,
    ),
    Case(
        "ONBUILD of nothing known fails when triggered",
        "FROM bb AS one\nONBUILD FOO x\nFROM one",
        fails="unknown instruction: FOO (did you mean FROM?)",
    ),
    Case(
        "ONBUILD ONBUILD",
        "FROM bb\nONBUILD ONBUILD RUN x",
        fails="Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
    ),
    Case(
        "ONBUILD FROM", "FROM bb\nONBUILD FROM x", fails="FROM isn't allowed as an ONBUILD trigger"
    ),
    Case(
        "ONBUILD with WORKDIR and USER",
        "FROM bb AS one\nONBUILD USER app\nONBUILD WORKDIR /w\nFROM one\nRUN touch f",
        tree={"/w/": Dir(owner="1000:1000"), "/w/f": File(owner="1000:1000")},
        config={"User": "app", "WorkingDir": "/w"},
        since=None,
    ),
)
