"""Keeps children running: restarts what dies, stops all in order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from scripts.launcher.console import Console, LaunchError
from scripts.launcher.processes import Program, start, tail

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 60.0  # alive for so long, a child has earned a fresh count of pauses
GLANCE_SECONDS = 0.05
QUICK_QUIT_SECONDS = 3.0


def nothing_to_clear() -> None:
    """Most programs leave nothing behind that hinders their next start."""


@dataclass
class Child:
    """A program with the process that runs it now."""

    program: Program
    process: "subprocess.Popen[bytes]"
    clear_way: Callable[[], None] = nothing_to_clear
    began: float = field(default_factory=time.monotonic)
    pause: float = FIRST_PAUSE_SECONDS
    down_since: float | None = None


class Supervisor:
    """The children, in the order of their start; stopped in the reverse order of their rank.

    Everything happens in the thread that calls: a child is told when its *thread* of birth dies.
    """

    def __init__(
        self,
        console: Console,
        changed: Callable[[], None],
        longest_pause: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._console = console
        self._changed = changed
        self._longest_pause = longest_pause
        self._ranks: list[list[Child]] = []

    def start(
        self, *programs: Program, clear_way: Callable[[], None] = nothing_to_clear
    ) -> list[Child]:
        """Starts programs of one rank: those that may be stopped at the same time."""
        rank: list[Child] = []
        self._ranks.append(rank)
        for program in programs:
            clear_way()
            rank.append(Child(program, start(program), clear_way))
        self._changed()
        return rank

    def children(self) -> list[Child]:
        return [child for rank in self._ranks for child in rank]

    def process_ids(self) -> dict[str, int]:
        """Process ids by name."""
        return {child.program.name: child.process.pid for child in self.children()}

    def insist_on_life(self) -> None:
        """Raises LaunchError with the end of its log when any child has ended."""
        for child in self.children():
            if child.process.poll() is not None:
                raise LaunchError(
                    f"{child.program.name} ended at once ({ending(child.process.returncode)}); "
                    f"the end of {child.program.log}:\n{tail(child.program.log)}"
                )

    def wait_until(self, ready: Callable[[], bool], what: str, patience: float) -> None:
        """Waits until `ready` answers true, while all children live; `patience` in seconds."""
        deadline = time.monotonic() + patience
        while not ready():
            self.insist_on_life()
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"{what} after {patience:.0f} s; see the logs in the data directory"
                )
            time.sleep(GLANCE_SECONDS)

    def tend(self) -> None:
        """Looks at every child once, and starts again what has ended and waited its pause."""
        for child in self.children():
            if child.down_since is not None:
                self._revive(child)
            elif child.process.poll() is not None:
                self._mourn(child)

    def _mourn(self, child: Child) -> None:
        now = time.monotonic()
        if now - child.began > STEADY_SECONDS:
            child.pause = FIRST_PAUSE_SECONDS
        child.down_since = now
        self._console.say(
            f"{child.program.name} stopped unexpectedly ({ending(child.process.returncode)}); "
            f"starting it again in {child.pause:.1f} s, its log is {child.program.log}"
        )

    def _revive(self, child: Child) -> None:
        assert child.down_since is not None
        if time.monotonic() - child.down_since < child.pause:
            return
        child.pause = min(child.pause * 2, self._longest_pause)
        try:
            child.clear_way()
            child.process = start(child.program)
        except LaunchError as reason:
            self._console.say(f"{child.program.name}: {reason}")
            child.down_since = time.monotonic()
            return
        child.began, child.down_since = time.monotonic(), None
        self._changed()
        self._console.say(f"{child.program.name} is started again, process {child.process.pid}")

    def stop(self) -> None:
        """Stops every child, the last rank first, each rank together."""
        for rank in reversed(self._ranks):
            for child in rank:
                signal_child(child, child.program.stop_signal)
            for child in rank:
                self._await_end(child)
        self._ranks.clear()
        self._changed()

    def _await_end(self, child: Child) -> None:
        if ends_within(child.process, child.program.patience):
            return
        self._console.say(f"{child.program.name} does not stop; ending it")
        if child.program.stop_signal is signal.SIGINT:
            # To PostgreSQL this means: leave at once, recover at the next start.
            signal_child(child, signal.SIGQUIT)
            if ends_within(child.process, QUICK_QUIT_SECONDS):
                return
        signal_child(child, signal.SIGKILL)
        child.process.wait()


def signal_child(child: Child, number: signal.Signals) -> None:
    if child.process.poll() is None:
        os.kill(child.process.pid, number)


def ends_within(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def ending(status: int) -> str:
    """An exit status in words: `exit 1`, or the name of the signal."""
    return signal.Signals(-status).name if status < 0 else f"exit {status}"
