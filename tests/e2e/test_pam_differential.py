"""The decisions of pam_pandora.so against those of what it replaces: the vendor's document (pam_listfile and
pam_succeed_if, the real modules), over generated users, groups, shells and lists. The same everywhere, but for the classes
of STRICTER, each of which has its reason and is counted; where ours lets in whom the document does not, it fails."""

import collections
import contextlib
import os
import pathlib
import random
import string

import pytest
from world import BUILD, run

SEED = int(os.environ.get("GATE_TEST_SEED", "20261124"))
USERS, STRANGERS = 110, 12
FIRST_ID = 23000
MODULE = BUILD / "pam_pandora.so"
LISTS = pathlib.Path("/etc/differential")
SHELLS = ("/sbin/nologin", "/usr/sbin/nologin")         # the document compares strings: it is given both spellings
OTHER_SHELLS = ("/bin/bash", "/bin/sh", "", "/bin/false", "/usr/libexec/pandora-gate/drop", "/sbin/nologinx", "/sbin/nologin/",
                "nologin", "/nonexistent", "/usr/sbin/../sbin/nologi", "/sbin/NOLOGIN")
GROUPS = {"dpandora": FIRST_ID, "dalias": FIRST_ID, "dother": FIRST_ID + 1, "dempty": FIRST_ID + 2}

# Where ours refuses and the document does not: what it is about, and why ours is right.
STRICTER = {
    "blanks": "a name with blanks around it is meant as that name",
    "owner": "a list that is not root's can be changed by somebody else",
    "group_writable": "and so can one that a group may write",
    "huge": "no list of users is larger than 1 MiB: it is damaged",
    "long_line": "nor has a name of more than 255 bytes",
    "nul": "nor a NUL byte",
    "name": "an account whose name begins with '.' was made by hand, for a path with `..` in it",
}


# --- what is generated --------------------------------------------------------------------------------------------------

def make_users(rng):
    """(name, primary gid, supplementary groups, shell) of each; some of the names are odd, and nothing but the name."""
    odd = ["Upper", "with.dot", "with_under", "with-dash", "123456", "trailing-", "dollar$", "x" * 32, "u", "dpandora",
           "-dash", ".dot", "..", "a b"]
    names = odd + [f"d{''.join(rng.choices(string.ascii_lowercase, k=3))}{n}" for n in range(USERS - len(odd))]
    for name in names:
        primary = rng.choices([FIRST_ID, FIRST_ID + 1, 100], [4, 2, 3])[0]
        member = rng.random()
        groups = (["dpandora"] if member < 0.55 else ["dother"] if member < 0.7 else ["dalias"] if member < 0.75 else []) + \
            (["dother"] if rng.random() < 0.1 else [])
        shell = rng.choice(SHELLS) if name in odd or rng.random() < 0.85 else rng.choice(OTHER_SHELLS)
        if name in odd:
            primary = FIRST_ID
        yield name, primary, groups, shell


def write_accounts(users):
    """Into the real files, as an administrator who edits them by hand."""
    with open("/etc/passwd", "a") as passwd, open("/etc/shadow", "a") as shadow:
        for n, (name, primary, _groups, shell) in enumerate(users):
            passwd.write(f"{name}:x:{FIRST_ID + n}:{primary}::/nonexistent:{shell}\n")
            shadow.write(f"{name}:*:20000:0:99999:7:::\n")
    with open("/etc/group", "a") as file:
        for group, gid in GROUPS.items():
            members = [name for name, _primary, groups, _shell in users if group in groups]
            file.write(f"{group}:x:{gid}:{','.join([*members, 'dnobody'])}\n")


def listed(rng, names):
    return rng.sample(names, len(names) // 7)


def plain(names):
    return "".join(f"{n}\n" for n in names)


class Lists:
    """One list of each kind: its path, and the names that it means."""

    def __init__(self, rng, names):
        self.rng, self.names = rng, names
        self.meant = {}
        LISTS.mkdir(mode=0o755)

    def make(self, kind, text=None, mode=0o644, owner=0, dress=lambda n: f"{n}\n"):
        path = LISTS / kind
        chosen = listed(self.rng, self.names)
        path.write_bytes(("".join(map(dress, chosen)) if text is None else text).encode())
        os.chmod(path, mode)
        os.chown(path, owner, -1)
        self.meant[kind] = set(chosen) if text is None else set()
        return path

    def all(self):
        """kind -> path."""
        rng = self.rng
        made = {
            "plain": self.make("plain"),
            "comments": self.make("comments", dress=lambda n: rng.choice([f"# not {n}\n\n{n}\n", f"#\n{n}\n", f"\n\n{n}\n"])),
            "commented_out": self.make("commented_out", "".join(f"#{n}\n" for n in listed(rng, self.names))),
            "crlf": self.make("crlf", dress=lambda n: f"{n}\r\n"),
            "no_newline": self.make("no_newline", plain(self.names[:9])[:-1]),
            "near": self.make("near", "".join(f"{n}x\nx{n}\n{n[:-1]}\n{n.swapcase()}1\n" for n in listed(rng, self.names))),
            "twice": self.make("twice", dress=lambda n: f"{n}\n{n}\n"),
            "blanks": self.make("blanks", dress=lambda n: rng.choice([f" {n}\n", f"{n} \n", f"\t{n}\n", f"{n}\t\r\n"])),
            "empty": self.make("empty", ""),
            "only_blank": self.make("only_blank", "\n\n\n"),
            "missing": LISTS / "missing",
            "world_writable": self.make("world_writable", mode=0o666),
            "group_writable": self.make("group_writable", mode=0o664),
            "owner": self.make("owner", owner=1),
            "private": self.make("private", mode=0o600),
            "huge": self.make("huge", "x\n" * 600_000),
            "long_line": self.make("long_line", "y" * 300 + "\n"),
            "nul": self.make("nul", "some\0body\n"),
            "directory": LISTS / "directory", "link": LISTS / "link", "dangling": LISTS / "dangling",
            "hard_link": LISTS / "hard_link", "in_no_directory": LISTS / "none" / "list",
        }
        made["directory"].mkdir()
        made["link"].symlink_to(made["plain"])
        made["dangling"].symlink_to(LISTS / "nothing")
        os.link(made["twice"], made["hard_link"])
        return made


def configurations(lists):
    """name -> (group, kind of list, onerr)"""
    out = [(group, kind, "succeed") for kind in lists for group in ("dpandora",)]
    out += [("dpandora", kind, "fail") for kind in ("plain", "missing", "dangling", "in_no_directory", "empty")]
    out += [(group, kind, "succeed") for group in ("dalias", "dother", "dempty", "nosuchgroup") for kind in ("plain", "missing")]
    return {f"{n}": one for n, one in enumerate(out)}


def write_services(configs, lists):
    for name, (group, kind, onerr) in configs.items():
        ours = f"required {MODULE} scope=all group={group} shell={','.join(SHELLS)} deny={lists[kind]} onerr={onerr} quiet\n"
        pathlib.Path(f"/etc/pam.d/diff-ours-{name}").write_text(f"auth {ours}account {ours}")
        theirs = (f"required pam_listfile.so item=user sense=deny file={lists[kind]} onerr={onerr} quiet",
                  f"required pam_succeed_if.so quiet user ingroup {group}",
                  f"required pam_succeed_if.so quiet shell in {':'.join(SHELLS)}")
        pathlib.Path(f"/etc/pam.d/diff-theirs-{name}").write_text(
            "".join(f"{phase} {line}\n" for phase in ("auth", "account") for line in theirs))


@contextlib.contextmanager
def kept(*paths):
    saved = {path: pathlib.Path(path).read_bytes() for path in paths}
    try:
        yield
    finally:
        for path, content in saved.items():
            pathlib.Path(path).write_bytes(content)


@pytest.fixture(scope="module")
def generated():
    """names, lists, configurations, and the seeded numbers they come from."""
    rng = random.Random(SEED)
    with kept("/etc/passwd", "/etc/shadow", "/etc/group"):
        users = list(make_users(rng))
        write_accounts(users)
        names = [u[0] for u in users]
        made = Lists(rng, [n for n in names if " " not in n])
        lists = made.all()
        configs = configurations(lists)
        write_services(configs, lists)
        strangers = [f"dno{n}" for n in range(STRANGERS - 2)] + ["dnobody", "x" * 300]
        yield names + strangers, made, configs


def verdicts(phase, side, questions):
    asked = "".join(f"diff-{side}-{config} {user}\n" for config, user in questions)
    answers = run(BUILD / "tests/harness/pam_verdicts", phase, input=asked, timeout=300).stdout.split()
    assert len(answers) == len(questions)
    return [answer == "0" for answer in answers]


def why_stricter(config, made, user):
    """The class of STRICTER that a refusal which is ours alone belongs to, or None."""
    _group, kind, _onerr = config
    if user.startswith("."):
        return "name"
    if kind == "blanks":
        return "blanks" if user in made.meant["blanks"] else None
    return kind if kind in STRICTER else None


@pytest.mark.timeout(400)
@pytest.mark.parametrize("phase", ["auth", "account"])
def test_the_same_verdict_as_the_document(generated, phase, capsys):
    names, made, configs = generated
    questions = [(config, user) for config in configs for user in names]
    ours, theirs = verdicts(phase, "ours", questions), verdicts(phase, "theirs", questions)
    stricter, wrong = collections.Counter(), []
    for (config, user), mine, other in zip(questions, ours, theirs, strict=True):
        if mine == other:
            continue
        reason = why_stricter(configs[config], made, user) if other else None
        if reason:
            stricter[reason] += 1
        else:
            wrong.append((configs[config], user, "laxer" if mine else "stricter"))
    alike = collections.Counter(mine for mine, other in zip(ours, theirs) if mine == other)
    with capsys.disabled():
        print(f"\n{phase}: {len(questions)} cases, both let in {alike[True]}, both refuse {alike[False]}, ours alone refuses "
              f"{dict(sorted(stricter.items()))}")
    assert not wrong, (len(wrong), wrong[:20])
    assert set(stricter) == set(STRICTER), "a class that no case belongs to is no class"
    assert len(questions) >= 2000
    for side in (ours, theirs):
        assert 0.2 <= sum(side) / len(side) <= 0.8
    assert 0.2 <= alike[True] / len(questions) and 0.2 <= alike[False] / len(questions)


def test_another_spelling_of_an_allowed_shell(generated):
    """The one difference the other way, and meant: ours compares files. The document knows a path that it was not told
    for another program, though it is the same one; nobody can do more with it."""
    spelling = "/usr/sbin/../sbin/nologin"
    with kept("/etc/passwd"):
        with open("/etc/passwd", "a") as passwd:
            passwd.write(f"dspelling:x:29999:{FIRST_ID}::/nonexistent:{spelling}\n")
        assert os.path.samefile(spelling, SHELLS[1])
        questions = [("0", "dspelling")]
        assert verdicts("account", "ours", questions) == [True]
        assert verdicts("account", "theirs", questions) == [False]
