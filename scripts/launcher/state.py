"""The state directory DIR: where everything that outlives a start is kept.

tls/ certificates of the private door · public_tls/ those of `--tls` · log/ one file per process ·
secrets.json passwords · ports.json what listens where, and process ids · environment.json what
each process is given · sandbox.json the first merchant's keys · servers/ or servers.json the
database cluster, or where it is.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from scripts.launcher.console import LaunchError
from scripts.launcher.private_files import read_json, write_json

PASSWORD_BYTES = 32
LOG_LIMIT_BYTES = 50 * 1024 * 1024
OWNER_ONLY = 0o700
PASSABLE = 0o711  # others may walk through to what is theirs, and list nothing


class StateDirectory:
    """DIR and the names of what stands in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.tls = self.path / "tls"
        self.public_tls = self.path / "public_tls"
        self.public_authority = self.public_tls / "ca.pem"
        self.keys = self.path / "keys"
        self.logs = self.path / "log"
        self.secrets = self.path / "secrets.json"
        self.ports = self.path / "ports.json"
        self.environment = self.path / "environment.json"
        self.sandbox = self.path / "sandbox.json"
        self.setup = self.path / "setup.json"
        self.servers = self.path / "servers"
        self.servers_elsewhere = self.path / "servers.json"

    def prepare(self) -> None:
        """Makes the directories; root's DIR can be walked through by its servers' account."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(PASSABLE if os.geteuid() == 0 else OWNER_ONLY)
            for directory in (self.tls, self.public_tls, self.keys, self.logs):
                directory.mkdir(exist_ok=True)
                directory.chmod(OWNER_ONLY)
        except OSError as reason:
            raise LaunchError(f"cannot use {self.path} as data directory: {reason}") from reason

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps a second launcher out of DIR for as long as this process lives."""
        with (self.path / "launcher.lock").open("a") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as reason:
                raise LaunchError(
                    f"another scripts/serve is running on {self.path}; "
                    "stop it, or choose another directory with --data"
                ) from reason
            yield

    def password(self, name: str) -> str:
        """The random password called `name`, made at the first question and kept (req. 8.6.2)."""
        known = read_json(self.secrets)
        if name not in known:
            known[name] = secrets.token_urlsafe(PASSWORD_BYTES)
            write_json(self.secrets, known)
        return str(known[name])

    def log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def rotate_logs(self) -> None:
        """Sets every log that grew past its bound aside, keeping one earlier file."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT_BYTES:
                log.replace(log.with_name(f"{log.name}.1"))
