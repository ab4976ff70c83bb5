"""Asks the advisory service of PyPI about every locked package, by pip-audit.

Exit status 0: every package was answered for, and nothing is known against any; 1: there is
an advisory, or the audit itself is broken; 75: the service is out of reach.  pip-audit ends
well when the service knows no package at all, so its own status says too little.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass

from scripts.launcher.bootstrap import ROOT, lock_file
from scripts.launcher.check import NOT_RUN_STATUS

# The shortest first: where nobody answers, few are asked.
LOCKS = ("cloud", "runtime", "dev")
ALL_SECONDS = 40.0
ANSWER_SECONDS = 5
_OUT_OF_REACH = (
    "Could not connect",
    "ConnectionError",
    # Whoever answers with a certificate that nobody vouches for is not the service.
    "SSLError",
    "Timeout",
    "NameResolutionError",
    "ServiceError",
    "HTTPError",
)
_LINES_OF_AN_ERROR = 5


@dataclass(frozen=True)
class Verdict:
    """An exit status of this program and the line that explains it."""

    status: int
    reason: str


def verdict(output: str, errors: str) -> Verdict:
    """What pip-audit's JSON, or the lack of it, says about one lock file."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if any(word in errors for word in _OUT_OF_REACH):
            return Verdict(NOT_RUN_STATUS, "the advisory service is out of reach")
        tail = " | ".join(errors.splitlines()[-_LINES_OF_AN_ERROR:])
        return Verdict(1, f"pip-audit failed: {tail}")
    known = [_line(package) for package in packages if package.get("vulns")]
    if known:
        return Verdict(1, "\n".join(known))
    skipped = sum("skip_reason" in package for package in packages)
    if skipped:
        told = f"the advisory service does not answer for {skipped} of {len(packages)} packages"
        return Verdict(NOT_RUN_STATUS, told)
    return Verdict(0, f"{len(packages)} packages, nothing known against any")


def _line(package: dict[str, object]) -> str:
    found = package["vulns"]
    ids = ", ".join(sorted(str(item["id"]) for item in found)) if isinstance(found, list) else ""
    return f"{package['name']} {package['version']}: {ids}"


def audit(name: str, seconds: float) -> Verdict:
    """Ask about the packages of one lock file, `seconds` at most."""
    options = ("--timeout", str(ANSWER_SECONDS), "--progress-spinner", "off", "-f", "json")
    where = ("--disable-pip", "-r", str(lock_file(name)))
    command = (sys.executable, "-m", "pip_audit", *options, *where)
    try:
        run = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=max(seconds, 1.0)
        )
    except subprocess.TimeoutExpired:
        return Verdict(NOT_RUN_STATUS, f"no end within {ALL_SECONDS:.0f} s")
    return verdict(run.stdout, run.stderr)


def main() -> int:
    ends = time.monotonic() + ALL_SECONDS
    for name in LOCKS:
        found = audit(name, ends - time.monotonic())
        words = "not run: " if found.status == NOT_RUN_STATUS else ""
        print(f"requirements/{name}.txt: {words}{found.reason}", flush=True)
        if found.status:
            return found.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
