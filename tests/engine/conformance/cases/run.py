"""RUN: forms, shells, here-documents, users, network, mounts."""

from __future__ import annotations

from ..case import ISOLATION, Case, Dir, File
from .reasons import MOUNT_POINT, NEWER_CHECK, NEWER_WORDS, OWN_WORDS

CASES = (
    # --- forms
    Case("shell form", "FROM bb\nRUN echo $((1+2)) > /f"),
    Case("exec form", 'FROM bb\nRUN ["/bin/sh", "-c", "echo $0 $1 > /f", "a b", "c"]'),
    Case("exec form does not need a shell", 'FROM bb\nRUN ["touch", "/a b", "/$HOME"]'),
    Case("exec form over lines", 'FROM bb\nRUN ["touch", \\\n "/a"]'),
    Case(
        "not quite JSON is a shell command",
        "FROM bb\nRUN ['touch', '/a'] || touch /f",
    ),
    Case("a trailing comma is no JSON", 'FROM bb\nRUN ["touch", "/a",] || touch /f'),
    Case(
        "text after JSON is no JSON",
        'FROM bb\nRUN ["touch", "/a"] junk || touch /f',
        tree={"/f": ""},
        since=None,
        buildkit={"/? kind": "newer BuildKits take it for the shell form too"},
    ),
    Case(
        "a number in JSON",
        'FROM bb\nRUN ["touch", 1]',
        fails="when using JSON array syntax, arrays must be comprised of strings only",
    ),
    Case("an empty JSON array", "FROM bb\nRUN []", fails="arguments are required"),
    Case("text is not expanded by the builder", "FROM bb\nENV A=1\nRUN A=2; echo $A '$A' > /f"),
    Case("deletes", "FROM bb\nRUN rm /etc/group && rm -r /home"),
    Case("replaces a directory by a file", "FROM bb\nRUN rm -r /home && echo x > /home"),
    Case(
        "a directory emptied and filled", "FROM bb\nRUN rm -r /home && mkdir /home && touch /home/x"
    ),
    Case("changes a mode only", "FROM bb\nRUN chmod 600 /etc/passwd && chown app /home"),
    Case(
        "links, FIFOs, times",
        "FROM bb\nRUN ln -s x /l && echo 1 > /a && ln /a /b && mkfifo /p "
        "&& touch -d @1000000000 /a",
    ),
    Case("setuid and sticky", "FROM bb\nRUN echo 1 > /a && chmod 4755 /a && mkdir -m 1777 /t"),
    Case(
        "a command that fails",
        "FROM bb\nRUN exit 3",
        fails="the command exited with 3",
        buildkit=OWN_WORDS,
    ),
    # --- environment, user, directory
    Case("sees ENV and ARG", "FROM bb\nARG A=1\nENV B=2\nRUN echo $A $B > /f"),
    Case("ARG is not in the image", "FROM bb\nARG A=1\nRUN env | grep ^A= > /f"),
    Case(
        "HOME of root and of a user",
        "FROM bb\nRUN echo ~ > /f\nUSER app\nRUN echo ~ > /tmp/g",
    ),
    Case("runs as a user by name", "FROM bb\nUSER app\nRUN id > /tmp/f"),
    Case("runs as a user by ids", "FROM bb\nUSER 5:6\nRUN id -u > /tmp/f && id -g >> /tmp/f"),
    Case("runs as a user and a group", "FROM bb\nUSER app:extra\nRUN id -gn > /tmp/f"),
    Case(
        "supplementary groups of a user by name",
        "FROM bb\nUSER app\nRUN id -G > /tmp/f",
        tree={"/tmp/f": File("1000 2000\n", owner="1000:1000")},
        since="1.28",
    ),
    Case("runs in the working directory", "FROM bb\nWORKDIR /a/b\nRUN pwd > f"),
    Case("the working directory of a user", "FROM bb\nUSER app\nWORKDIR /w\nRUN touch f"),
    Case(
        "nothing of the host's environment",
        "FROM bb\nRUN env | cut -d= -f1 | grep -v HOSTNAME | sort > /f",
    ),
    Case(
        "on an image without configuration and mount points",
        "FROM bare\nRUN echo x > /f",
        base="bare",
        tree={"/f": "x\n", "/dev/": "", "/proc/": "", "/sys/": ""},
        differs={
            "/etc/* kind": "BuildKit leaves no mount points of its own behind",
            "/run* kind": "BuildKit leaves no mount points of its own behind",
        },
    ),
    # --- the name of the machine
    Case(
        "writes /etc/hostname",
        "FROM bb\nRUN echo mine > /etc/hostname\nRUN cat /etc/hostname > /f",
        tree={"/etc/hostname": "mine\n", "/f": "mine\n"},
        since=None,
    ),
    Case(
        "writes an /etc/hostname that was not there",
        "FROM bare\nRUN echo mine > /etc/hostname",
        base="bare",
        tree={"/etc/hostname": "mine\n", "/dev/": "", "/proc/": "", "/sys/": ""},
        since=None,
    ),
    Case(
        "the name of the machine is always the same",
        "FROM bb\nRUN cat /proc/sys/kernel/hostname > /f && echo $HOSTNAME >> /f",
        tree={"/f": "buildkitsandbox\nbuildkitsandbox\n"},
        since=None,
    ),
    Case(
        "BUILDKIT_SANDBOX_HOSTNAME",
        "FROM bb\nRUN cat /proc/sys/kernel/hostname > /f",
        args={"BUILDKIT_SANDBOX_HOSTNAME": "box.example"},
        tree={"/f": "box.example\n"},
        since=None,
    ),
    # --- SHELL
    Case(
        "SHELL is used",
        'FROM bb\nSHELL ["/bin/sh", "-ec"]\nRUN echo $- > /f; false || true',
    ),
    Case(
        "SHELL holds in stages built from it",
        'FROM bb AS one\nSHELL ["/bin/ash", "-xc"]\nFROM one\nRUN echo $0 > /f\nCMD x',
        config={"Cmd": ["/bin/ash", "-xc", "x"], "Shell": ["/bin/ash", "-xc"]},
        since=None,
    ),
    Case(
        "SHELL needs JSON",
        "FROM bb\nSHELL sh -c",
        fails="SHELL requires the arguments to be in JSON form",
    ),
    # --- here-documents
    Case(
        "a script",
        "FROM bb\nRUN <<EOF\necho one > /f\necho two >> /f\nEOF\n",
        tree={"/f": "one\ntwo\n"},
        since="1.36",
    ),
    Case(
        "a script is not expanded by the builder",
        "FROM bb\nENV A=x\nRUN <<EOF\nA=y\necho $A \\$A > /f\nEOF\n",
        tree={"/f": "y $A\n"},
        since=None,
    ),
    Case(
        "a script without its tabs",
        "FROM bb\nRUN <<-EOF\n\tcat > /f <<X\n\ta\n\tX\n\tEOF\n",
        tree={"/f": "a\n"},
        since=None,
    ),
    Case(
        "a script with a shebang",
        "FROM bb\nRUN <<EOF\n#!/bin/busybox ash\necho $0 > /f\nEOF\n",
        tree={"/f": f"/{'run' if ISOLATION == 'chroot' else 'dev'}/pipes/EOF\n"},
        since=None,
        buildkit={"/f content": "with chroot isolation /dev is not the container's own"},
    ),
    Case(
        "a script with a shebang, as a user",
        "FROM bb\nUSER app\nRUN <<EOF\n#!/bin/sh -e\nid -u > /tmp/f\nEOF\n",
        tree={"/tmp/f": File("1000\n", owner="1000:1000")},
        since=None,
    ),
    Case(
        "a here-document for a command",
        "FROM bb\nRUN cat <<EOF > /f\n$((1+1)) x\nEOF\n",
        tree={"/f": "2 x\n"},
        since=None,
    ),
    Case(
        "a quoted here-document for a command",
        "FROM bb\nRUN cat <<'EOF' > /f\n$((1+1)) x\\\nEOF\n",
        tree={"/f": "$((1+1)) x\\\n"},
        since=None,
    ),
    Case(
        "two here-documents",
        "FROM bb\nRUN cat <<A > /f && cat <<B >> /f\n1\nA\n2\nB\n",
        tree={"/f": "1\n2\n"},
        since=None,
    ),
    Case(
        "another file descriptor",
        "FROM bb\nRUN cat 3<<EOF <&3 > /f\nx\nEOF\n",
        tree={"/f": "x\n"},
        since=None,
    ),
    Case(
        "a shift is a here-document",
        "FROM bb\nRUN echo $((1 << 2))\nENV A=1\n",
        fails="unterminated heredoc",
        buildkit=NEWER_CHECK,
    ),
    Case(
        "an odd quote hides a here-document",
        "FROM bb\nRUN it's <<EOF\nENV A=1\n",
        fails="the command exited with 2",
        buildkit=OWN_WORDS,
    ),
    Case(
        "a space after the dash is no here-document",
        "FROM bb\nRUN echo <<- EOF > /f || touch /g\nENV A=1\n",
        config={
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1"]
        },
        since=None,
    ),
    Case(
        "other instructions have no here-documents",
        "FROM bb\nLABEL a=<<EOF\nCMD cat <<EOF\n",
        config={"Labels": {"a": "<<EOF"}, "Cmd": ["/bin/sh", "-c", "cat <<EOF"]},
    ),
    # --- network, security
    Case(
        "--network=none",
        "FROM bb\nRUN --network=none ls /sys/class/net > /f; cat /proc/net/dev | tail -n +3 | "
        "cut -d: -f1 | tr -d ' ' > /f",
        tree={"/f": "lo\n"},
        since=None,
    ),
    Case("--network=default", "FROM bb\nRUN --network=default echo x > /f", since="1.30"),
    Case(
        "--network of nothing known",
        "FROM bb\nRUN --network=some true",
        fails='invalid network mode "some"',
    ),
    Case(
        "--security of nothing known",
        "FROM bb\nRUN --security=some true",
        fails='security "some" is not valid',
        buildkit=NEWER_WORDS,
    ),
    # --- mounts
    Case(
        "bind: the context",
        "FROM bb\nRUN --mount=type=bind,target=/c cat /c/a > /f",
        {"a": "hello", "b": "2"},
        tree={"/f": "hello"},
    ),
    Case(
        "bind: a file of the context",
        "FROM bb\nRUN --mount=source=a,target=/tmp/a cat /tmp/a > /f",
        {"a": "hello", "b": "2"},
        tree={"/f": "hello"},
        since=None,
    ),
    Case(
        "bind: relative to the working directory",
        "FROM bb\nWORKDIR /w\nRUN --mount=source=d,target=d cat d/a > f",
        {"d/a": "hello"},
        tree={"/w/": "", "/w/f": "hello"},
        since=None,
    ),
    Case(
        "bind: it is read-only",
        "FROM bb\nRUN --mount=target=/tmp echo x > /tmp/a || echo no > /f",
        {"a": "hello"},
        tree={"/f": "no\n"},
        differs=MOUNT_POINT,
    ),
    Case(
        "bind: writes are thrown away",
        "FROM bb\nRUN --mount=target=/tmp,rw echo x > /tmp/a && cat /tmp/a > /f\nCOPY a /g",
        {"a": "hello"},
        tree={"/f": "x\n", "/g": "hello"},
        since=None,
    ),
    Case(
        "bind: what the ignore file excludes is not there",
        "FROM bb\nRUN --mount=target=/tmp ls /tmp > /f",
        {"a": "hello", "b": "2", ".dockerignore": "b\n.dockerignore\n"},
        tree={"/f": "a\n"},
        since=None,
    ),
    Case(
        "bind: from a stage",
        "FROM bb AS one\nRUN echo x > /o\nFROM bb\n"
        "RUN --mount=from=one,target=/tmp cat /tmp/o > /f",
        tree={"/f": "x\n"},
        differs=MOUNT_POINT,
    ),
    Case(
        "bind: a directory of a stage",
        "FROM bb AS one\nRUN mkdir /d && echo x > /d/o\nFROM bb\n"
        "RUN --mount=from=one,source=/d,target=/tmp cat /tmp/o > /f",
        tree={"/f": "x\n"},
        differs=MOUNT_POINT,
    ),
    Case(
        "bind: from an image",
        "FROM bb\nRUN --mount=from=bare,target=/tmp ls /tmp > /f",
        tree={"/f": "bin\netc\nhome\nroot\ntmp\n"},
        since=None,
    ),
    Case(
        "bind: from a named context",
        "FROM bb\nRUN --mount=from=extra,target=/tmp cat /tmp/a > /f",
        contexts={"extra": {"a": "from extra"}},
        tree={"/f": "from extra"},
        since=None,
    ),
    Case(
        "bind: variables in from",
        "FROM bb\nRUN --mount=from=$X,target=/tmp true",
        fails="'from' doesn't support variable expansion, define alias stage instead",
    ),
    Case(
        "bind: a source cannot leave its root",
        "FROM bb\nRUN --mount=source=../../a,target=/tmp/a cat /tmp/a > /f",
        {"a": "in"},
        tree={"/f": "in"},
        since=None,
    ),
    Case(
        "bind: variables in target and source",
        "FROM bb\nARG D=d T=/tmp\nRUN --mount=source=$D,target=$T cat /tmp/a > /f",
        {"d/a": "1"},
        tree={"/f": "1"},
        since=None,
    ),
    Case(
        "cache: what is written is not in the image",
        "FROM bb\nRUN --mount=type=cache,target=/tmp echo x > /tmp/a && cat /tmp/a > /f",
        tree={"/f": "x\n"},
        since=None,
    ),
    Case(
        "cache: the next RUN sees it",
        "FROM bb\nRUN --mount=type=cache,id=seen,target=/tmp echo x > /tmp/a\n"
        "RUN --mount=type=cache,id=seen,target=/root cat /root/a > /f",
        tree={"/f": "x\n"},
        since=None,
    ),
    Case(
        "cache: ids tell caches apart",
        "FROM bb\nRUN --mount=type=cache,id=c1,target=/tmp echo x > /tmp/a\n"
        "RUN --mount=type=cache,id=c2,target=/tmp ls /tmp > /f",
        tree={"/f": ""},
        since=None,
    ),
    Case(
        "cache: mode and owner",
        "FROM bb\nRUN --mount=type=cache,id=mode,target=/tmp,mode=0750,uid=5,gid=6 "
        "stat -c '%a %u %g' /tmp > /f",
        tree={"/f": "750 5 6\n"},
        since=None,
    ),
    Case(
        "cache: read-only",
        "FROM bb\nRUN --mount=type=cache,id=ro,target=/tmp,ro touch /tmp/x || echo no > /f",
        tree={"/f": "no\n"},
        since=None,
    ),
    Case(
        "cache: filled from a stage",
        "FROM bb AS one\nRUN mkdir /d && echo x > /d/o\nFROM bb\n"
        "RUN --mount=type=cache,id=fill,from=one,source=/d,target=/tmp cat /tmp/o > /f",
        tree={"/f": "x\n"},
        since=None,
    ),
    Case(
        "tmpfs",
        "FROM bb\nRUN --mount=type=tmpfs,target=/tmp echo x > /tmp/a && "
        "grep -c ' /tmp tmpfs' /proc/mounts > /f",
        tree={"/f": "1\n"},
        differs=MOUNT_POINT,
    ),
    Case(
        "tmpfs: over files of the image",
        "FROM bb\nRUN --mount=type=tmpfs,target=/home ls /home > /f",
        tree={"/f": ""},
        since=None,
    ),
    Case(
        "secret: the file and no trace of it",
        "FROM bb\nRUN --mount=type=secret,id=key cat /run/secrets/key > /dev/null && "
        "wc -c < /run/secrets/key > /f",
        secrets={"key": "s3cret"},
        tree={"/f": "6\n"},
        since=None,
    ),
    Case(
        "secret: target, mode and owner",
        "FROM bb\nRUN --mount=type=secret,id=key,target=/tmp/k,mode=0440,uid=5,gid=6 "
        "stat -c '%a %u %g' /tmp/k > /f",
        secrets={"key": "s3cret"},
        tree={"/f": "440 5 6\n"},
        since=None,
    ),
    Case(
        "secret: an environment variable",
        "FROM bb\nRUN --mount=type=secret,id=key,env=KEY echo ${#KEY} > /f; ls /run >> /f",
        secrets={"key": "s3cret"},
        tree={"/f": "6\n"},
        since=None,
        buildkit={"build": "newer BuildKits know env"},
    ),
    Case(
        "secret: not given, not required",
        "FROM bb\nRUN --mount=type=secret,id=other ls /run/secrets > /f 2>/dev/null; touch /f",
        tree={"/f": ""},
        since=None,
    ),
    Case(
        "several mounts",
        "FROM bb AS one\nRUN echo x > /o\nFROM bb\nRUN --mount=from=one,target=/tmp "
        "--mount=source=a,target=/root/a cat /tmp/o /root/a > /f",
        {"a": "hello"},
        tree={"/f": "x\nhello"},
        since=None,
    ),
    Case(
        "mounts with quotes",
        "FROM bb\nRUN --mount='type=bind,\"target=/a,b\"' ls '/a,b' > /f",
        {"x": "1"},
        tree={"/f": "x\n"},
        since=None,
    ),
    Case(
        "a mount on the root",
        "FROM bb\nRUN --mount=type=tmpfs,target=/ true",
        fails='invalid mount target "/"',
    ),
    Case(
        "a mount of nothing known",
        "FROM bb\nRUN --mount=type=cahce,target=/x true",
        fails='unsupported mount type "cahce" (did you mean cache?)',
    ),
    Case(
        "a mount point is not left behind",
        "FROM bb\nRUN --mount=target=/new/point ls /new/point > /f",
        {"a": "1"},
        tree={"/f": "a\n"},
        since=None,
    ),
    Case(
        "mount points inside what the step itself made",
        "FROM bb\nRUN mkdir -m 750 /d\nRUN --mount=type=cache,id=in,target=/d/c touch /d/x",
        tree={"/d/": Dir(0o750), "/d/x": ""},
        since=None,
    ),
)
