"""Writes var/sbom.json: what a production installation is made of (CycloneDX 1.6).

PCI DSS 4.0.1 req. 6.3.2.  Made from the lock files alone, so that equal locks give equal
bytes: no moment, no serial number, no name of a machine.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.launcher.bootstrap import ROOT, lock_file

LOCKS = ("runtime", "cloud")
INVENTORY = ROOT / "var" / "sbom.json"
SPECIFICATION = "1.6"


def locked(names: Sequence[str] = LOCKS) -> str:
    """The lock files as one."""
    return "\n".join(lock_file(name).read_text() for name in names)


def write_inventory(target: Path) -> int:
    """Write the inventory; the exit status of the tool that makes it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    options = ("--output-reproducible", "--sv", SPECIFICATION, "-o", str(target), "-")
    command = (sys.executable, "-m", "cyclonedx_py", "requirements", *options)
    return subprocess.run(command, cwd=ROOT, input=locked(), text=True).returncode


def main() -> int:
    status = write_inventory(INVENTORY)
    if status == 0:
        print(f"{INVENTORY.relative_to(ROOT)} says what is installed in production")
    return status


if __name__ == "__main__":
    sys.exit(main())
