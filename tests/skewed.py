"""`python -m tests.skewed MODULE MILLISECONDS`: a process of the product with a wrong clock.

MODULE has the function `main` that an entry file of scripts/ calls.
"""

import importlib
import sys

from runtime.clock import SystemClock
from tests.serving import ROOT


class Skewed(SystemClock):
    """The machine's clock, so many milliseconds off."""

    def __init__(self, off_ms: int) -> None:
        self._off_ms = off_ms

    def unix_ms(self) -> int:
        return super().unix_ms() + self._off_ms


def skewed(module: str, off_ms: int) -> tuple[str, ...]:
    """The command that starts such a process, from the root of the tree."""
    return (sys.executable, "-W", "ignore", "-P", "-m", "tests.skewed", module, str(off_ms))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    importlib.import_module(sys.argv[1]).main(Skewed(int(sys.argv[2])))
