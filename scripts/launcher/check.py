"""Runs every check, changes nothing, and tells all failures at the end.

Exit status 0 when all pass, 1 otherwise.
"""

import subprocess
import sys
import time
from dataclasses import dataclass

from scripts.launcher.bootstrap import ROOT


@dataclass(frozen=True)
class Check:
    """One question about the tree: its name and the command that answers it."""

    name: str
    command: tuple[str, ...]


CHECKS = (
    Check("lint", ("ruff", "check")),
    Check("layout", ("ruff", "format", "--check")),
    Check("types", ("mypy",)),
    Check("imports", ("lint-imports",)),
    Check("document", (sys.executable, "-m", "scripts.spec_lint")),
    Check("generated", (sys.executable, "-m", "scripts.generator", "--check")),
)


def passes(check: Check) -> bool:
    """Runs one check, its output shown as it comes."""
    print(f"\n== {check.name}: {' '.join(check.command)}", flush=True)
    began = time.monotonic()
    status = subprocess.run(check.command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    print(f"== {check.name}: exit {status}, {time.monotonic() - began:.1f} s", flush=True)
    return status == 0


def main() -> int:
    failed = [check.name for check in CHECKS if not passes(check)]
    if failed:
        print(f"\nFAILED: {', '.join(failed)} ({len(CHECKS) - len(failed)} passed)")
        return 1
    print(f"\nall {len(CHECKS)} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
