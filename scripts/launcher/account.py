"""Which account the database and Valkey run as: PostgreSQL refuses to be root, rightly."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher.console import LaunchError

# An account of our own where an administrator made one, else the account that owns nothing.
ACCOUNTS = ("paymint", "nobody")


@dataclass(frozen=True)
class Account:
    """An unprivileged account that root lends to the servers."""

    name: str
    uid: int
    gid: int

    def reaches(self, directory: Path) -> bool:
        """Whether the account can walk down to `directory`; asked of the kernel, not guessed."""
        question = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]
        answer = subprocess.run(
            question, user=self.uid, group=self.gid, extra_groups=[], capture_output=True, cwd="/"
        )
        return answer.returncode == 0

    def owns(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)


def server_account() -> Account | None:
    """The account to change to, or None when this process is itself unprivileged."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise LaunchError(
        "running as root, but there is no account `paymint` or `nobody` for the database; "
        "create one (useradd --system paymint) or run as an ordinary user"
    )
