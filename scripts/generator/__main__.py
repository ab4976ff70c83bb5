"""Usage: python -m scripts.generator [--check].

Without an option it writes generated/.  With --check it writes nothing, names the files
that are stale and exits with 1 when there are any.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from scripts.generator.tree import DOCUMENT, GENERATED, differences, write_tree


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        write_tree(DOCUMENT, GENERATED)
        print(f"generated/ follows {DOCUMENT.name}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "generated"
        write_tree(DOCUMENT, fresh)
        stale = differences(fresh, GENERATED)
    for name in stale:
        print(f"generated/{name} is stale: run scripts/generate")
    print("generated/ is fresh" if not stale else f"{len(stale)} stale file(s)")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
