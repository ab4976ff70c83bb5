"""Usage: python -m scripts.generator [--check].

Without an option it writes generated/ and docs/errors/.  With --check it writes nothing,
names the files that are stale, absent or superfluous and exits with 1 when there are any.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from scripts.generator.tree import (
    DOCUMENT,
    ERROR_PAGES,
    GENERATED,
    ROOT,
    differences,
    write_pages,
    write_tree,
)

TARGETS = ((GENERATED, write_tree), (ERROR_PAGES, write_pages))


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    stale: list[str] = []
    for target, write in TARGETS:
        name = target.relative_to(ROOT).as_posix()
        if not check:
            write(DOCUMENT, target)
            print(f"{name}/ follows {DOCUMENT.name}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / "fresh"
            write(DOCUMENT, fresh)
            stale += [f"{name}/{found}" for found in differences(fresh, target)]
    for path in stale:
        print(f"{path} is stale: run scripts/generate")
    if check:
        print(f"{len(stale)} stale file(s)" if stale else "what is generated is fresh")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
