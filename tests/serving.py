"""A running Paymint for tests: the launcher as a process, and what it leaves in its directory."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from scripts.launcher.processes import dies_with_parent

Found = TypeVar("Found")

ROOT = Path(__file__).resolve().parents[1]
# The first start makes a database cluster, perhaps beside other work on the machine.
START_SECONDS = 120.0
STOP_SECONDS = 60.0
GLANCE_SECONDS = 0.05
# Tests run side by side: of two stacks that choose their ports at the same time, none may
# choose a port that the other has not bound yet.
ONE_START_AT_A_TIME = Path(tempfile.gettempdir()) / f"paymint-start-{os.getuid()}.lock"

# Tests make and break servers of their own; somebody's real ones are left alone.
EXTERNAL_SERVERS = (
    "DATABASE_URL",
    "VAULT_DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "VAULT_MIGRATION_DATABASE_URL",
    "REDIS_URL",
)
GENUINE = ("scripts/serve",)
# The same without the installation; answers that break the document are 500s there.
STRICT = (sys.executable, "-P", "-m", "scripts.launcher.serve")
STRICTNESS = {"PAYMINT_STRICT_ANSWERS": "1"}
# All tests ask from one address, and open more accounts an hour than anybody else.
ROOM = {
    "PAYMINT_SANDBOX_ACCOUNTS_PER_HOUR": "100000",
    "PAYMINT_PUBLIC_REQUESTS_PER_MINUTE": "100000",
    "PAYMINT_FAILED_AUTHENTICATIONS_PER_MINUTE": "10000",
    "PAYMINT_PUBLISHABLE_KEY_MULTIPLIER": "1000",
}


class Serving:
    """One launcher process and its data directory."""

    def __init__(
        self,
        directory: Path,
        command: Sequence[str],
        options: Sequence[str],
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self._lines: list[str] = []
        inherited = {name: v for name, v in os.environ.items() if name not in EXTERNAL_SERVERS}
        environment = {**inherited, **STRICTNESS, **ROOM, **(more or {})}
        self.process = subprocess.Popen(
            [*command, "--data", str(directory), *options],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A run of tests that is ended by force leaves no stack behind.
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """Everything that was printed so far."""
        return "".join(self._lines)

    def wait_until_ready(self) -> None:
        """Waits for the launcher's own word."""
        deadline = time.monotonic() + START_SECONDS
        while "] ready in " not in self.output:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the stack did not start:\n{self.output}")
            time.sleep(GLANCE_SECONDS)

    def state(self, name: str) -> dict[str, Any]:
        """A JSON file of the data directory: sandbox, ports or environment."""
        content: dict[str, Any] = json.loads((self.directory / f"{name}.json").read_text())
        return content

    def process_id(self, name: str) -> int:
        """The present process id of a child."""
        return int(self.state("ports")["pids"][name])

    def stop(self) -> int:
        """SIGTERM, and the exit status that follows."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)


@contextmanager
def serving(command: Sequence[str], *options: str, **more: str) -> Iterator[Serving]:
    """A stack in a directory that an unprivileged account can reach; the stop must be clean.

    `more` are variables of its environment.
    """
    directory = Path(tempfile.mkdtemp(prefix="paymint-shop-", dir="/var/tmp"))
    with open(ONE_START_AT_A_TIME, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = Serving(directory, command, options, more)
        try:
            running.wait_until_ready()
            fcntl.flock(lock, fcntl.LOCK_UN)
            yield running
            assert running.process.poll() is None, running.output
            assert running.stop() == 0, running.output
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait(STOP_SECONDS)
            shutil.rmtree(directory, ignore_errors=True)


def eventually(look: Callable[[], Found], seconds: float) -> Found:
    """Looks until there is something to see, at most `seconds`; then the last look counts."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(GLANCE_SECONDS)
    return found
