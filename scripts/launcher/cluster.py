"""The embedded PostgreSQL cluster: made once, started per launch, reached with a password only."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from scripts.launcher.console import LaunchError
from scripts.launcher.place import Place
from scripts.launcher.ports import LOOPBACK
from scripts.launcher.private_files import write_private
from scripts.launcher.processes import Program, inhabitants

SUPERUSER = "postgres"
STOP_PATIENCE_SECONDS = 25.0
CLEAR_PATIENCE_SECONDS = 20.0
GLANCE_SECONDS = 0.05
PID_LINE = 0
STATUS_LINE = 7

# Durability is never traded: an answered payment survives a power cut (fsync, commit).
# Statements and key values stay out of the log, they may carry personal data (req. 3.4, 10.3).
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "password_encryption": "scram-sha-256",  # nosec B105  # a way, not a word
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_line_prefix": "%m [%p] %d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Cluster:
    """One data directory and the server that runs on it."""

    def __init__(self, binaries: Path, place: Place, port: int, password: str) -> None:
        self.binaries = binaries
        self.port = port
        self._place = place
        self._password = password
        self.data = place.path / "postgres"

    def url(  # nosec B107  # never used as one
        self, database: str = "postgres", role: str = SUPERUSER, password: str = ""
    ) -> str:
        """A connection URL; without a role, the superuser's."""
        secret = password or self._password
        return f"postgresql://{role}:{secret}@{LOOPBACK}:{self.port}/{database}"

    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def create(self, environment: dict[str, str]) -> None:
        """Makes the cluster beside its final name, so that an interrupted start leaves none."""
        fresh = self._place.path / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._place.private_directory("postgres.new")
        secret = self._place.path / "initdb-password"
        write_private(secret, f"{self._password}\n".encode())
        if self._place.account:
            self._place.account.owns(secret)
        try:
            self._run_initdb(fresh, secret, environment)
        finally:
            secret.unlink()
        fresh.rename(self.data)

    def _run_initdb(self, data: Path, secret: Path, environment: dict[str, str]) -> None:
        account = self._place.account
        options = ["--encoding=UTF8", "--locale=C", "--data-checksums", "--auth=scram-sha-256"]
        names = [f"--username={SUPERUSER}", f"--pwfile={secret}", f"--pgdata={data}"]
        answer = subprocess.run(
            [str(self.binaries / "initdb"), *options, *names],
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            env=environment,
            cwd=data,
            capture_output=True,
            text=True,
        )
        if answer.returncode != 0:
            raise LaunchError(f"initdb failed: {(answer.stderr or answer.stdout).strip()}")

    def program(self, environment: dict[str, str], log: Path) -> Program:
        """The server. SIGINT stops it fast; SIGTERM would wait for clients that never leave."""
        settings = [f"{name}={value}" for name, value in SETTINGS.items()]
        flags = [word for setting in settings for word in ("-c", setting)]
        port = ("-p", str(self.port))
        return Program(
            name="postgres",
            command=(str(self.binaries / "postgres"), "-D", str(self.data), *port, *flags),
            environment=environment,
            directory=self.data,
            log=log,
            stop_signal=signal.SIGINT,
            patience=STOP_PATIENCE_SECONDS,
            account=self._place.account,
        )

    def clear_way(self) -> None:
        """Waits for the processes of an earlier postmaster, then takes its pid file away.

        After a kill -9 the file names a process that may by now be anybody's, and PostgreSQL
        would refuse to start.  Removing it is safe here: the lock on DIR is ours, and nobody is
        left in the data directory.
        """
        deadline = time.monotonic() + CLEAR_PATIENCE_SECONDS
        asked = False
        while remaining := inhabitants(self.data):
            if not asked and (old := self._recorded_pid()) in remaining:
                os.kill(old, signal.SIGINT)
                asked = True
            if time.monotonic() > deadline:
                raise LaunchError(f"an earlier PostgreSQL still runs: processes {remaining}")
            time.sleep(GLANCE_SECONDS)
        self._pid_file().unlink(missing_ok=True)

    def ready(self) -> bool:
        """Whether the running postmaster says that it takes connections."""
        lines = self._pid_lines()
        return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"

    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def _pid_lines(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return self._pid_file().read_text().splitlines()
        return []

    def _recorded_pid(self) -> int:
        lines = self._pid_lines()
        return int(lines[PID_LINE]) if lines and lines[PID_LINE].isdigit() else 0
