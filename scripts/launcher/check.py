"""Runs every check, changes nothing of the tree, and tells all failures at the end.

Exit status 0 when none failed, 1 otherwise.  A check that could not be made for a reason
outside the tree is `not run`: it is named in the last line, and never counted as passed.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from scripts.launcher.bootstrap import ROOT

# EX_TEMPFAIL of sysexits.h: by it a check says that it could not be made.
NOT_RUN_STATUS = 75
SECURITY_SCANNED = (
    *("adapters", "contract", "domain", "flows", "gateway", "generated", "handlers", "models"),
    *("runtime", "scripts", "vault", "workers"),
    *("scripts/paymint-api", "scripts/paymint-vault", "scripts/paymint-worker"),
)


class Outcome(Enum):
    """How a check ended; the words of the summary."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Check:
    """One question about the tree: its name and the command that answers it.

    `may_not_run`: it needs something outside the tree and says so by NOT_RUN_STATUS.
    """

    name: str
    command: tuple[str, ...]
    may_not_run: bool = False


CHECKS = (
    Check("lint", ("ruff", "check")),
    Check("layout", ("ruff", "format", "--check")),
    Check("types", ("mypy",)),
    Check("imports", ("lint-imports",)),
    Check("document", (sys.executable, "-m", "scripts.spec_lint")),
    Check("generated", (sys.executable, "-m", "scripts.generator", "--check")),
    Check("security", ("bandit", "-q", "-c", "pyproject.toml", "-r", *SECURITY_SCANNED)),
    Check("inventory", (sys.executable, "-m", "scripts.launcher.inventory")),
    Check(
        "dependency audit",
        (sys.executable, "-m", "scripts.launcher.advisories"),
        may_not_run=True,
    ),
)


def run(check: Check) -> Outcome:
    """Runs one check, its output shown as it comes."""
    print(f"\n== {check.name}: {' '.join(check.command)}", flush=True)
    began = time.monotonic()
    status = subprocess.run(check.command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    outcome = outcome_of(check, status)
    seconds = time.monotonic() - began
    print(f"== {check.name}: {outcome.value}, exit {status}, {seconds:.1f} s", flush=True)
    return outcome


def outcome_of(check: Check, status: int) -> Outcome:
    """What an exit status says of this check."""
    if status == 0:
        return Outcome.PASSED
    if status == NOT_RUN_STATUS and check.may_not_run:
        return Outcome.NOT_RUN
    return Outcome.FAILED


def summary(outcomes: Sequence[tuple[str, Outcome]]) -> str:
    """One line for each outcome that there was: what failed, what was not run, what passed."""
    lines = []
    for outcome in (Outcome.FAILED, Outcome.NOT_RUN):
        names = [name for name, found in outcomes if found is outcome]
        if names:
            lines.append(f"{outcome.value}: {', '.join(names)}")
    passed = sum(found is Outcome.PASSED for _, found in outcomes)
    everything = "all " if passed == len(outcomes) else ""
    lines.append(f"{everything}{passed} of {len(outcomes)} checks passed")
    return "\n".join(lines)


def main() -> int:
    outcomes = [(check.name, run(check)) for check in CHECKS]
    print(f"\n{summary(outcomes)}")
    return 1 if any(found is Outcome.FAILED for _, found in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
