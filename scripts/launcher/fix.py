"""Lets ruff repair what it can: findings with a safe fix, then the layout."""

import subprocess
import sys

from scripts.launcher.bootstrap import ROOT

COMMANDS = (("ruff", "check", "--fix"), ("ruff", "format"))


def main() -> int:
    statuses = [subprocess.run(command, cwd=ROOT).returncode for command in COMMANDS]
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
