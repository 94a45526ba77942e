"""The machine of an agent that enrols: a home directory with keys, and a real ssh-copy-id that types what it is told."""

import pathlib
import subprocess
import tempfile

from world import run

ADDED = "Number of key(s) added: 1"
THERE = "All keys were skipped because they already exist on the remote system"


class AgentMachine:
    def __init__(self, world, *keys):
        """With keys of these names, ~/.ssh/id_NAME; without any: one."""
        self.world = world
        self.home = pathlib.Path(tempfile.mkdtemp(dir=world.dir))
        self.ssh_dir = self.home / ".ssh"
        self.ssh_dir.mkdir(mode=0o700)
        self.config = self.ssh_dir / "config"
        self.config.write_text("StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n"
                               "ConnectTimeout 10\nNumberOfPasswordPrompts 1\nPreferredAuthentications publickey,password\n")
        self.askpass = self.home / "askpass"
        self.askpass.write_text('#!/bin/sh\nprintf "%s\\n" "$GATE_TEST_TYPED"\n')
        self.askpass.chmod(0o755)
        self.keys = [self.new_key(name) for name in keys or ("ed25519",)]

    def new_key(self, name, kind="ed25519", *options):
        path = self.ssh_dir / f"id_{name}"
        run("ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-C", f"root@{name}", "-f", path)
        return path

    @property
    def key(self):
        return self.keys[0]

    def public(self, key=None):
        return (key or self.key).with_suffix(".pub").read_text()

    def environment(self, typed):
        return {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "SSH_ASKPASS": str(self.askpass),
                "SSH_ASKPASS_REQUIRE": "force", "GATE_TEST_TYPED": typed}

    def run(self, *argv, typed, under=(), **kwargs):
        kwargs.setdefault("timeout", 60)
        if "input" not in kwargs:
            kwargs["stdin"] = subprocess.DEVNULL
        return subprocess.run([str(a) for a in (*under, *argv)], env=self.environment(typed), capture_output=True,
                              text=True, errors="replace", **kwargs)

    def copy_id(self, typed, *options, host="127.0.0.1", **kwargs):
        return self.run("ssh-copy-id", *options, "-F", self.config, "-p", self.world.sshd.port, f"pandora@{host}",
                        typed=typed, **kwargs)

    def client(self, key=None, **kwargs):
        """This machine's agent, with its key."""
        return self.world.client(key or self.key, **kwargs)
