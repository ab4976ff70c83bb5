"""`python -m tests.contract_conformance.midlife`: the whole stack in the midst of a version's life.

Takes the options of scripts/serve.  An older version is removed on a day that comes, so tests of
it must not ask the machine what day it is.  Here every process is given a clock that stood at
MID_LIFE when the stack began, by entry files of our own in a tree beside the product's packages.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from runtime.clock import SystemClock
from scripts.launcher.serve import main as serve
from tests.serving import ROOT

MID_LIFE = datetime(2026, 10, 1, tzinfo=UTC)
# The function that each entry file of scripts/ calls.
MAINS = {
    "paymint-vault": "vault.main",
    "paymint-api": "gateway.server",
    "paymint-worker": "workers.main",
}
NOT_LINKED = (".git", "var", "scripts")
ENTRY = """\
from tests.contract_conformance.midlife import EarlierClock
from {module} import main

main(EarlierClock({behind_ms}))
"""


class EarlierClock(SystemClock):
    """The machine's clock, a span of milliseconds behind."""

    def __init__(self, behind_ms: int) -> None:
        self._behind_ms = behind_ms

    def unix_ms(self) -> int:
        return super().unix_ms() - self._behind_ms


def plant(tree: Path) -> None:
    """The product's tree in `tree`, by links, with our entry files."""
    for part in ROOT.iterdir():
        if part.name not in NOT_LINKED:
            (tree / part.name).symlink_to(part)
    (tree / "scripts").mkdir()
    for part in (ROOT / "scripts").iterdir():
        if part.name not in MAINS:
            (tree / "scripts" / part.name).symlink_to(part)
    behind_ms = SystemClock().unix_ms() - int(MID_LIFE.timestamp()) * 1000
    for name, module in MAINS.items():
        entry = ENTRY.format(module=module, behind_ms=behind_ms)
        (tree / "scripts" / name).write_text(entry)


def main() -> int:
    """As scripts/serve, from a tree of its own."""
    with tempfile.TemporaryDirectory(prefix="paymint-midlife-") as name:
        plant(Path(name))
        return serve(Path(name))


if __name__ == "__main__":
    sys.exit(main())
