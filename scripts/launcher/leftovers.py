"""Processes of a launcher that was killed: they have been told to stop, and may need a moment."""

import time
from typing import Any

from scripts.launcher.console import Console, LaunchError
from scripts.launcher.house import WORKER
from scripts.launcher.processes import command_line

# The words that stand in our children's command lines; a process id alone may be anybody's.
OURS = {
    "postgres": "postgres",
    "valkey": "valkey-server",
    "paymint-vault": "paymint-vault",
    "paymint-api": "paymint-api",
    "paymint-worker": "paymint-worker",
    "paymint-network": "paymint-network",
}
PATIENCE_SECONDS = 20.0
GLANCE_SECONDS = 0.1


def alive(recorded: dict[str, Any]) -> dict[str, int]:
    """Those of the recorded processes that still run, by name."""
    return {
        name: pid
        for name, pid in recorded.items()
        if isinstance(pid, int) and (word := _word_of(name)) and word in command_line(pid)
    }


def _word_of(name: str) -> str | None:
    """paymint-worker-2 and so on run what paymint-worker runs."""
    return OURS.get(WORKER if name.startswith(WORKER) else name)


def await_leftovers(recorded: dict[str, Any], console: Console) -> None:
    """Waits for the earlier children to end; LaunchError names those that do not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    if alive(recorded):
        console.say("waiting for the processes of an interrupted run to end")
    while remaining := alive(recorded):
        if time.monotonic() > deadline:
            named = ", ".join(f"{name} ({pid})" for name, pid in remaining.items())
            raise LaunchError(f"processes of an earlier run are still there: {named}")
        time.sleep(GLANCE_SECONDS)
