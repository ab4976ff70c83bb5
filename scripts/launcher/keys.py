"""Rotates the keys of a stack that scripts/serve runs, or says how they stand.

The vault's keys first, then those of the main house: each with the environment of the process
that owns them.  A rotation that was cut off goes on where it was.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from scripts.launcher.bootstrap import ROOT
from scripts.launcher.house import start_module
from scripts.launcher.private_files import read_json
from scripts.launcher.state import StateDirectory

# Which module, with the environment of which process.
HOUSES = {
    "vault": ("vault.key_rotation", "paymint-vault"),
    "house": ("flows.key_rotation", "paymint-worker"),
}


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/keys", description=__doc__)
    parser.add_argument("command", choices=("rotate", "status"))
    parser.add_argument("--data", type=Path, default=ROOT / "var", help="the stack's directory")
    return parser.parse_args(arguments)


def follow(house: str, run: "subprocess.Popen[bytes]") -> int:
    """Shows what a module says, as it says it; its exit status."""
    assert run.stdout is not None
    for line in run.stdout:
        print(f"{house}: {line.decode(errors='replace').rstrip()}", flush=True)
    return run.wait()


def main() -> int:
    asked = read_arguments(sys.argv[1:])
    environments = read_json(StateDirectory(asked.data).environment)
    if not environments:
        print(f"scripts/keys: no stack was started in {asked.data}", file=sys.stderr)
        return 1
    for house, (module, process) in HOUSES.items():
        run = start_module(ROOT, module, environments[process], asked.command)
        try:
            status = follow(house, run)
        finally:
            run.kill()
            run.wait()
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
