"""The embedded Valkey: a fast memory beside the database, which may vanish at any time."""

import socket
from pathlib import Path

from scripts.launcher.place import Place
from scripts.launcher.ports import LOOPBACK
from scripts.launcher.processes import Program

MEMORY = "256mb"
ANSWER_SECONDS = 1.0
ANSWER_BYTES = 256


class Valkey:
    """One Valkey on loopback; nothing it knows is written to disk."""

    def __init__(self, binary: Path, place: Place, port: int, password: str) -> None:
        self._binary = binary
        self._place = place
        self._port = port
        self._password = password

    def url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"

    def program(self, environment: dict[str, str], log: Path) -> Program:
        """The server; its configuration comes through a pipe, so no argument shows the password.

        When memory is full the longest unused entries go first: the database decides without them.
        """
        lines = [
            f"bind {LOOPBACK}",
            f"port {self._port}",
            f"requirepass {self._password}",
            'save ""',
            "appendonly no",
            f"maxmemory {MEMORY}",
            "maxmemory-policy allkeys-lru",
            "daemonize no",
            'logfile ""',
        ]
        return Program(
            name="valkey",
            command=(str(self._binary), "-"),
            environment=environment,
            directory=self._place.private_directory("valkey"),
            log=log,
            account=self._place.account,
            standard_input=("\n".join(lines) + "\n").encode(),
        )

    def ready(self) -> bool:
        """Whether it accepts the password and answers."""
        question = f"AUTH {self._password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((LOOPBACK, self._port), ANSWER_SECONDS) as connection:
                connection.sendall(question)
                answer = b""
                while b"PONG" not in answer and (piece := connection.recv(ANSWER_BYTES)):
                    answer += piece
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"
