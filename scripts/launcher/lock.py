"""Compiles requirements/*.in into lock files with a hash for every file.

Addresses of package indexes are not written: where packages come from is the machine's choice,
what they are is ours.  `--upgrade` (and any other option of pip-compile) is handed on.
"""

import os
import subprocess
import sys

from scripts.launcher.bootstrap import ROOT

OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--strip-extras",
    "--no-annotate",
)
LOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("runtime", ()),
    ("cloud", ()),
    ("dev", ("--allow-unsafe",)),
)


def compile_lock(name: str, more: tuple[str, ...]) -> None:
    """Writes requirements/NAME.txt from requirements/NAME.in; raises when pip-compile fails."""
    target = ("--output-file", f"{name}.txt", f"{name}.in")
    environment = os.environ | {"CUSTOM_COMPILE_COMMAND": "scripts/lock"}
    command = (sys.executable, "-m", "piptools", "compile", *OPTIONS, *more, *target)
    subprocess.run(command, cwd=ROOT / "requirements", env=environment, check=True)


def main() -> int:
    try:
        for name, more in LOCKS:
            compile_lock(name, (*more, *sys.argv[1:]))
    except subprocess.CalledProcessError as failure:
        return failure.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
