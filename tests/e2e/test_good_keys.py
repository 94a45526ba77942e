"""What is a good key: `ssh-keygen -l` agrees on every fingerprint, and takes whatever is taken here."""

import base64
import json
import os
import random
import re
import struct
import subprocess

import pytest
from world import run

# kind, bits, how many: a few of those that take long to make.
MADE = [("ed25519", 256, 60), ("ecdsa", 256, 14), ("ecdsa", 384, 14), ("ecdsa", 521, 14),
        ("rsa", 2048, 4), ("rsa", 3072, 2), ("rsa", 4096, 1)]
SYNTHETIC = 10                  # of each sk- type
MUTANTS = 2000
SEED = int(os.environ.get("GATE_TEST_SEED", "20251123"))


def string(part):
    return struct.pack(">I", len(part)) + part


def take_strings(blob):
    """The strings that a blob consists of."""
    out = []
    while blob:
        size = struct.unpack(">I", blob[:4])[0]
        out.append(blob[4:4 + size])
        blob = blob[4 + size:]
    return out


def line_of(kind, blob, comment):
    return f"{kind} {base64.b64encode(blob).decode()} {comment}"


def generate(directory):
    """(type, blob) of real keys of all types; sk- keys are put together from the points of others."""
    out = []
    for kind, bits, count in MADE:
        for i in range(count):
            path = directory / f"{kind}-{bits}-{i}"
            run("ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", path)
            word, base = path.with_suffix(".pub").read_text().split()[:2]
            out.append((word, base64.b64decode(base)))
    applications = [b"ssh:", b"ssh:pandora", b"x"]
    for i in range(SYNTHETIC):
        point = take_strings(out[i][1])[1]
        kind = "sk-ssh-ed25519@openssh.com"
        out.append((kind, string(kind.encode()) + string(point) + string(applications[i % 3])))
        curve, point = take_strings(out[60 + i][1])[1:3]
        kind = "sk-ecdsa-sha2-nistp256@openssh.com"
        out.append((kind, string(kind.encode()) + string(curve) + string(point) + string(applications[i % 3])))
    return out


@pytest.fixture(scope="module")
def real_keys(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("real"))


@pytest.fixture
def gate(world, tmp_path):
    """gate(...): pandora-gate on a store of its own, so that the world's stays small."""
    place = tmp_path / "gate"
    place.mkdir(mode=0o755)

    def call(*argv, stdin="", **kwargs):
        return world.gate("--store", place / "store", "--keyring", place / "keyring", *argv, input=stdin, **kwargs)
    return call


def fingerprints(lines, path):
    """What ssh-keygen -l says of the lines of a file: comment -> fingerprint, of those that it takes."""
    path.write_bytes(b"".join(line.encode("latin-1") + b"\n" for line in lines))
    done = subprocess.run(["ssh-keygen", "-l", "-f", path], capture_output=True, timeout=120)
    return {m[2]: m[1] for m in re.finditer(r"^\d+ (SHA256:\S+) (\S+) \(", done.stdout.decode("latin-1"), re.M)}


@pytest.mark.timeout(300)
def test_every_fingerprint_is_that_of_ssh_keygen(gate, real_keys, tmp_path):
    lines = [line_of(kind, blob, f"k{i}") for i, (kind, blob) in enumerate(real_keys)]
    theirs = fingerprints(lines, tmp_path / "all.pub")
    assert len(theirs) == len(lines) >= 120
    for i, line in enumerate(lines):
        added = gate("keys", "add", "-", "--id", f"k{i}", "--agent", f"a{i}", stdin=line + "\n")
        assert theirs[f"k{i}"] in added.stdout
        assert json.loads(gate("keys", "show", f"k{i}", "--json").stdout)["fingerprint"] == theirs[f"k{i}"]


def mutated_blob(rng, kind, blob):
    """One thing wrong in the bytes, most often where it matters."""
    parts = take_strings(blob)
    at = rng.randrange(len(blob))
    how = rng.randrange(12)
    if how < 4:                 # a bit
        return blob[:at] + bytes([blob[at] ^ (1 << rng.randrange(8))]) + blob[at + 1:]
    if how == 4:
        return blob[:at]
    if how == 5:
        return blob[:at] + rng.randbytes(rng.randint(1, 4)) + blob[at:]
    if how == 6:
        return blob[:at] + blob[at + rng.randint(1, 4):]
    if how == 7:
        return blob + rng.randbytes(rng.randint(1, 40))
    which = rng.randrange(len(parts))
    if how == 8:                # a part that is empty, zero, longer, or negative
        parts[which] = rng.choice([b"", bytes(len(parts[which])), b"\0" + parts[which], b"\xff" + parts[which][1:],
                                   parts[which][:-1], parts[which] + b"\0"])
    elif how == 9:
        parts[which] = parts[rng.randrange(len(parts))]
    elif how == 10:
        parts = parts[:which] + parts[which + 1:]
    else:                       # a length that lies
        whole = [string(part) for part in parts]
        size = struct.unpack(">I", whole[which][:4])[0]
        lie = rng.choice([0, size - 1, size + 1, 0x7fffffff, 0xffffffff, 1 << 24]) % (1 << 32)
        whole[which] = struct.pack(">I", lie) + whole[which][4:]
        return b"".join(whole)
    return b"".join(string(part) for part in parts)


def mutated_line(rng, kind, blob, comment, kinds):
    """A blob that was changed, or its text."""
    how = rng.randrange(10)
    if how < 7:
        return line_of(kind, mutated_blob(rng, kind, blob), comment)
    text = base64.b64encode(blob).decode()
    at = rng.randrange(len(text))
    if how == 7:
        return line_of(rng.choice(kinds), blob, comment)
    if how == 8:
        return f"{kind} {text[:at]}{rng.choice(['', '*', '=', '-', '_', 'A', '%'])}{text[at + 1:]} {comment}"
    return f"{kind} {text}{rng.choice(['=', '==', 'A', 'AAAA', '.'])} {comment}"


def contrived_points():
    """On P-256, but with a coordinate that sshkey_ec_validate_public refuses; and the point at no place at all."""
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
    order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
    kind = "ecdsa-sha2-nistp256"
    points = [b"\x04" + bytes(64), b"\0"]
    for start in (2, order - 1):
        for x in range(start, start + 40):
            square = (x**3 - 3 * x + b) % p
            y = pow(square, (p + 1) // 4, p)
            if y * y % p == square:
                points.append(b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big"))
    return [(kind, string(kind.encode()) + string(b"nistp256") + string(point)) for point in points]


@pytest.mark.timeout(600)
def test_nothing_is_taken_that_ssh_keygen_refuses(gate, real_keys, tmp_path):
    rng = random.Random(SEED)
    seeds = [real_keys[i] for i in (0, 1, 60, 61, 74, 88, 102, 103, 106)] + real_keys[-4:]
    kinds = sorted({kind for kind, _ in real_keys}) + ["ssh-dss", "ssh-ed25519-cert-v01@openssh.com"]
    lines = [mutated_line(rng, *rng.choice(seeds), f"m{i}", kinds) for i in range(MUTANTS)]
    lines += [line_of(kind, blob, f"m{len(lines) + i}") for i, (kind, blob) in enumerate(contrived_points())]
    theirs = fingerprints(lines, tmp_path / "mutants")
    ours, said = {}, {}
    for i, line in enumerate(lines):
        done = gate("keys", "add", "-", stdin=line + "\n", check=False)
        if done.returncode == 0:
            ours[f"m{i}"] = re.search(r"SHA256:[A-Za-z0-9+/]+", done.stdout)[0]
        else:
            assert done.returncode == 65, (line, done.stderr)
            assert done.stderr.count("\n") == 1 and len(done.stderr) > 20, (line, done.stderr)
            said[f"m{i}"] = done.stderr
    wrong = [(lines[int(m[1:])], f) for m, f in ours.items() if theirs.get(m) != f]
    assert not wrong, wrong[:3]
    # The control: there was much to take, and much to refuse.
    assert len(ours) > 100 and len(lines) - len(theirs) > 800, (len(ours), len(theirs), len(lines))
    strict = sorted({re.sub(r"\d+", "N", said[m].strip()) for m in theirs if m not in ours})
    print(f"{len(lines)} lines: ssh-keygen takes {len(theirs)}, the gate {len(ours)}; only ssh-keygen:", *strict, sep="\n")
