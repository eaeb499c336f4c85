"""Instructions that only shape the configuration."""

from __future__ import annotations

from ..case import Case, Dir, Link
from .reasons import NEWER_WORDS, SHELL_KEPT, WORKDIR_CREATED

CASES = (
    # --- ENV
    Case("ENV pairs", "FROM bb\nENV A=1 B=\"two words\" C='x $A' D=a\\ b E="),
    Case("ENV old form", 'FROM bb\nENV A some  "words"  here '),
    Case("ENV sees the environment before it", "FROM bb\nENV a=old\nENV a=1 b=$a\nENV c=$a"),
    Case(
        "ENV replaces in place",
        "FROM bb\nENV A=1 B=2\nENV A=3 C=4\nENV PATH=/x:$PATH",
        differs={"config Env": "BuildKit replaces in place; buildah may move it to the end"},
    ),
    Case("ENV with an equals sign in the value", "FROM bb\nENV A=b=c D==e"),
    Case("ENV with variables in names", "FROM bb\nARG N=NAME\nENV $N=1 X_${N}=2"),
    Case("ENV quotes", 'FROM bb\nENV A="a\'b" B=\'a"b\' C="a\\"b" D="\\$x" E=\'\\$x\' F=a"b c"d'),
    Case("ENV without a value", "FROM bb\nENV A", fails="ENV must have two arguments"),
    Case(
        "ENV without an equals sign",
        "FROM bb\nENV A=1 B",
        fails='Syntax error - can\'t find = in "B". Must be of the form: name=value',
    ),
    Case(
        "ENV of a base without PATH",
        "FROM bare\nENV A=1",
    ),
    # --- LABEL, MAINTAINER
    Case("LABEL", 'FROM bb\nLABEL a=1 "b c"="d e" f.g/h="x\\\ny"\nLABEL a=2'),
    Case("LABEL old form", "FROM bb\nLABEL a some words"),
    Case("LABEL with variables", "FROM bb\nENV V=1\nLABEL v=$V $V=x s='$V'"),
    Case("MAINTAINER", "FROM bb\nMAINTAINER A B <a@b.example> $HOME"),
    # --- CMD and ENTRYPOINT
    Case("CMD exec", 'FROM bb\nCMD ["a", "b c", "$D"]'),
    Case("CMD shell", "FROM bb\nCMD a && b $C"),
    Case("CMD empty array", "FROM bb\nCMD []"),
    Case(
        "CMD without anything",
        "FROM bb\nCMD",
        config={"Cmd": ["/bin/sh", "-c", ""]},
        since=None,
    ),
    Case("CMD twice", "FROM bb\nCMD a\nCMD b"),
    Case("ENTRYPOINT exec", 'FROM bb\nENTRYPOINT ["a", "b"]'),
    Case("ENTRYPOINT shell", "FROM bb\nENTRYPOINT exec a"),
    Case("ENTRYPOINT resets the CMD of the base", 'FROM bb\nENTRYPOINT ["a"]'),
    Case("ENTRYPOINT keeps a CMD of the stage", 'FROM bb\nCMD ["x"]\nENTRYPOINT ["a"]'),
    Case(
        "ENTRYPOINT resets the CMD of the stage it is built from",
        'FROM bb AS one\nCMD ["x"]\nFROM one\nENTRYPOINT ["a"]',
        config={"Cmd": None, "Entrypoint": ["a"]},
        since=None,
    ),
    Case("ENTRYPOINT cleared", 'FROM bb AS one\nENTRYPOINT ["a"]\nFROM one\nENTRYPOINT []'),
    Case("CMD does not reset ENTRYPOINT", 'FROM bb AS one\nENTRYPOINT ["a"]\nFROM one\nCMD ["b"]'),
    # --- SHELL
    Case("SHELL in the image", 'FROM bb\nSHELL ["/bin/ash", "-xc"]'),
    Case(
        "SHELL in CMD and ENTRYPOINT",
        'FROM bb\nSHELL ["/bin/ash", "-xc"]\nCMD a b\nENTRYPOINT c d',
        config={"Cmd": ["/bin/ash", "-xc", "a b"], "Entrypoint": ["/bin/ash", "-xc", "c d"]},
        differs={"config Cmd": SHELL_KEPT, "config Entrypoint": SHELL_KEPT},
    ),
    Case("SHELL of nothing", "FROM bb\nSHELL []", fails="SHELL requires at least one argument"),
    # --- HEALTHCHECK
    Case("HEALTHCHECK shell", "FROM bb\nHEALTHCHECK CMD a || exit 1"),
    Case("HEALTHCHECK exec", 'FROM bb\nHEALTHCHECK CMD ["a", "b"]'),
    Case(
        "HEALTHCHECK with flags",
        "FROM bb\nHEALTHCHECK --interval=1m30s --timeout=10s --start-period=0.5s --retries=4 CMD a",
    ),
    Case(
        "HEALTHCHECK start interval",
        "FROM bb\nHEALTHCHECK --start-interval=2s CMD a",
        config={"Healthcheck": {"Test": ["CMD-SHELL", "a"], "StartInterval": 2_000_000_000}},
        since="1.33",
    ),
    Case("HEALTHCHECK NONE", "FROM bb\nHEALTHCHECK NONE"),
    Case(
        "HEALTHCHECK NONE resets", "FROM bb AS one\nHEALTHCHECK CMD a\nFROM one\nHEALTHCHECK NONE"
    ),
    Case("HEALTHCHECK is inherited", "FROM bb AS one\nHEALTHCHECK CMD a\nFROM one\nENV A=1"),
    Case(
        "HEALTHCHECK too short",
        "FROM bb\nHEALTHCHECK --interval=1us CMD a",
        fails='Interval "interval" cannot be less than 1ms',
    ),
    Case(
        "HEALTHCHECK without unit",
        "FROM bb\nHEALTHCHECK --interval=5 CMD a",
        fails='time: missing unit in duration "5"',
    ),
    Case(
        "HEALTHCHECK of nothing known",
        "FROM bb\nHEALTHCHECK FOO",
        fails='Unknown type "FOO" in HEALTHCHECK (try CMD)',
    ),
    Case(
        "HEALTHCHECK without a command",
        "FROM bb\nHEALTHCHECK CMD",
        fails="Missing command after HEALTHCHECK CMD",
    ),
    # --- EXPOSE
    Case("EXPOSE", "FROM bb\nEXPOSE 80 443/tcp 53/udp"),
    Case("EXPOSE with variables", "FROM bb\nARG P=8080\nEXPOSE $P ${P}/udp"),
    Case(
        "EXPOSE ranges",
        "FROM bb\nEXPOSE 7000-7002/tcp 9000-9001/udp",
        config={
            "ExposedPorts": {
                f"{one}": {} for one in ("7000/tcp", "7001/tcp", "7002/tcp", "9000/udp", "9001/udp")
            }
        },
        since=None,
    ),
    Case(
        "EXPOSE of several in a variable",
        'FROM bb\nARG P="80 81/udp"\nEXPOSE $P',
        config={"ExposedPorts": {"80/tcp": {}, "81/udp": {}}},
        since=None,
    ),
    Case(
        "EXPOSE of nothing defined",
        "FROM bb\nEXPOSE $undef",
        config={"ExposedPorts": None},
        since=None,
    ),
    Case(
        "EXPOSE with an upper-case protocol",
        "FROM bb\nEXPOSE 80/TCP",
        config={"ExposedPorts": {"80/tcp": {}}},
        since=None,
    ),
    Case(
        "EXPOSE of no port",
        "FROM bb\nEXPOSE x",
        fails="invalid containerPort: x",
        buildkit=NEWER_WORDS,
    ),
    Case(
        "EXPOSE of no protocol",
        "FROM bb\nEXPOSE 80/foo",
        fails='invalid port: "80/foo": invalid proto: foo',
        buildkit=NEWER_WORDS,
    ),
    # --- USER, WORKDIR, VOLUME, STOPSIGNAL
    Case("USER", "FROM bb\nUSER app:extra"),
    Case("USER with variables", "FROM bb\nARG U=app\nUSER $U"),
    Case("USER who is not there", "FROM bb\nUSER somebody"),
    Case(
        "USER is inherited",
        "FROM bb AS one\nUSER app\nFROM one\nWORKDIR /x",
        tree={"/x/": Dir(owner="1000:1000")},
        differs=WORKDIR_CREATED,
    ),
    Case(
        "WORKDIR is created",
        "FROM bb\nWORKDIR /a/b/c",
        tree={"/a/": "", "/a/b/": "", "/a/b/c/": ""},
        differs=WORKDIR_CREATED,
    ),
    Case(
        "WORKDIR relative",
        "FROM bb\nWORKDIR /a\nWORKDIR b\nWORKDIR ../c",
        tree={"/a/": "", "/a/b/": "", "/a/c/": ""},
        differs=WORKDIR_CREATED,
    ),
    Case(
        "WORKDIR with variables",
        "FROM bb\nENV D=/srv\nWORKDIR $D/x",
        tree={"/srv/": "", "/srv/x/": ""},
        differs=WORKDIR_CREATED,
    ),
    Case(
        "WORKDIR with a slash at the end",
        "FROM bb\nWORKDIR /a/",
        config={"WorkingDir": "/a/"},
        tree={"/a/": ""},
        since=None,
    ),
    Case(
        "WORKDIR with spaces",
        "FROM bb\nWORKDIR /a b/c",
        tree={"/a b/": "", "/a b/c/": ""},
        differs=WORKDIR_CREATED,
    ),
    Case("WORKDIR that is there", "FROM bb\nWORKDIR /tmp"),
    Case("WORKDIR root", "FROM bb\nWORKDIR /"),
    Case(
        "WORKDIR on scratch",
        "FROM scratch\nWORKDIR /a",
        base="scratch",
        tree={"/a/": ""},
        differs=WORKDIR_CREATED,
    ),
    Case(
        "WORKDIR through a link",
        "FROM bb\nRUN mkdir /real && ln -s /real /link\nWORKDIR /link/x",
        tree={"/real/": "", "/real/x/": "", "/link": Link("/real")},
        differs=WORKDIR_CREATED,
    ),
    Case(
        "WORKDIR of a user",
        "FROM bb\nUSER app\nWORKDIR /a/b",
        tree={"/a/": Dir(owner="1000:1000"), "/a/b/": Dir(owner="1000:1000")},
        since=None,
    ),
    Case(
        "WORKDIR of a user by id",
        "FROM bb\nUSER 5:6\nWORKDIR /a",
        tree={"/a/": Dir(owner="5:6")},
        since=None,
    ),
    Case("VOLUME", 'FROM bb\nVOLUME /a /b/c\nVOLUME ["/d e"]'),
    Case("VOLUME with variables", "FROM bb\nENV V=/x\nVOLUME $V/y"),
    Case("VOLUME: what COPY puts there stays", "FROM bb\nVOLUME /v\nCOPY a /v/", {"a": "1"}),
    Case(
        "VOLUME: what a RUN puts there stays",
        "FROM bb\nVOLUME /v\nRUN mkdir -p /v && echo x > /v/a",
        tree={"/v/": "", "/v/a": "x\n"},
        since=None,
    ),
    Case(
        "VOLUME: what was there stays",
        "FROM bb\nRUN mkdir /v && echo 1 > /v/a\nVOLUME /v\nRUN echo 2 > /v/b",
        tree={"/v/": "", "/v/a": "1\n", "/v/b": "2\n"},
        since=None,
    ),
    Case(
        "VOLUME of a base",
        "FROM bb AS one\nVOLUME /v\nFROM one\nRUN mkdir -p /v && echo x > /v/a",
        tree={"/v/": "", "/v/a": "x\n"},
        since=None,
    ),
    Case(
        "VOLUME of nothing",
        'FROM bb\nVOLUME [""]',
        fails="VOLUME specified can not be an empty string",
    ),
    Case("STOPSIGNAL by name", "FROM bb\nSTOPSIGNAL SIGTERM"),
    Case("STOPSIGNAL by number", "FROM bb\nSTOPSIGNAL 9"),
    Case("STOPSIGNAL with variables", "FROM bb\nARG S=SIGINT\nSTOPSIGNAL $S"),
    Case(
        "STOPSIGNAL of nothing known", "FROM bb\nSTOPSIGNAL SIGFOO", fails="invalid signal: SIGFOO"
    ),
    # --- together
    Case(
        "everything at once",
        "FROM bb\nENV A=1\nLABEL b=2\nEXPOSE 3\nVOLUME /four\nUSER 5\n"
        'WORKDIR /six\nSTOPSIGNAL 7\nSHELL ["/bin/sh", "-ec"]\nENTRYPOINT ["nine"]\nCMD ["ten"]\n'
        "HEALTHCHECK CMD eleven\nONBUILD RUN twelve\nMAINTAINER thirteen",
        differs={"/six kind": "BuildKit creates the directory"},
    ),
    Case(
        "everything is inherited by a stage",
        "FROM bb AS one\nENV A=1\nLABEL b=2\nEXPOSE 3\n"
        'VOLUME /four\nUSER 5\nWORKDIR /tmp\nSTOPSIGNAL 7\nENTRYPOINT ["nine"]\nCMD ["ten"]\n'
        "HEALTHCHECK CMD eleven\nFROM one\nENV Z=1",
    ),
    Case("nothing but FROM", "FROM bb"),
)
