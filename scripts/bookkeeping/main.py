"""scripts/ledger: `check` compares the ledger with payments, balances and the networks' journal.

Exit status 0: everything agrees; 1: something does not; 2: it could not be looked at.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import psycopg

from scripts.bookkeeping.checking import check
from scripts.launcher.bootstrap import ROOT
from scripts.launcher.private_files import read_json

AGREES, DIFFERS, NOT_LOOKED = 0, 1, 2
JOURNAL = Path("simulator") / "journal.jsonl"


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command and its options."""
    parser = argparse.ArgumentParser(prog="scripts/ledger", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "var", metavar="DIR")
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="look for the first difference")
    checking.add_argument(
        "--settled", action="store_true", help="nothing is under way: both sides must be equal"
    )
    checking.add_argument(
        "--journal", type=Path, metavar="FILE", help="the networks' journal (default: of DIR)"
    )
    return parser.parse_args(arguments)


def database_url(data: Path) -> str:
    """Of this process's environment, else what scripts/serve told the processes of `data`."""
    known: dict[str, Any] = read_json(data.absolute() / "environment.json")
    url: str = os.environ.get("DATABASE_URL") or known["paymint-worker"]["DATABASE_URL"]
    return url


def main(arguments: list[str]) -> int:
    """Run the command; the exit status."""
    options = parsed(arguments)
    journal: Path = options.journal or options.data / JOURNAL
    try:
        url = database_url(options.data)
        report = check(url, journal if journal.exists() else None, options.settled)
    except (KeyError, OSError, psycopg.Error) as reason:
        print(f"scripts/ledger: could not look: {type(reason).__name__}", file=sys.stderr)
        return NOT_LOOKED
    for difference in report.differences:
        print(difference)
    counted = ", ".join(f"{count} {name}" for name, count in report.figures.items())
    compared = "with the networks' journal" if journal.exists() else "no networks' journal"
    print(f"{'differs' if report.differences else 'agrees'}: {counted}, {compared}")
    return DIFFERS if report.differences else AGREES


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
