"""What the launcher tells the person in front of it."""

import contextlib
import os
import time


class LaunchError(Exception):
    """Why the start failed, in a sentence for the person who asked for it."""


class Console:
    """Lines of progress on standard output, each with the seconds since the start.

    The start is that of the command: bootstrap.py hands its own over, the machine's monotonic
    clock going on across exec.
    """

    def __init__(self) -> None:
        self._began = float(os.environ.get("PAYMINT_COMMAND_BEGAN") or time.monotonic())

    def elapsed(self) -> float:
        """Seconds since this console was made."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        self.show(f"[{self.elapsed():6.1f} s] {text}")

    def show(self, text: str) -> None:
        # Whoever read our output may have gone; that is no reason to stop serving.
        with contextlib.suppress(BrokenPipeError):
            print(text, flush=True)


class Silence(Console):
    """A console for tests that start the stack in their own process."""

    def show(self, text: str) -> None:
        del text
