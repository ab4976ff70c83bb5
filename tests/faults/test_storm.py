"""scripts/chaos for a minute: whatever its seed breaks, nothing is lost and nothing doubled."""

import re
import subprocess
import sys

from tests.serving import ROOT

MINUTES = "1"
PATIENCE_SECONDS = 280
FEWEST_OPERATIONS = 300
FEWEST_FAULTS = 8
_FIGURES = re.compile(r"seed \d+: (\d+) operations .* (\d+) faults, lost 0, doubled 0, books 0,")


def test_a_minute_of_chaos_loses_nothing_and_doubles_nothing() -> None:
    command = [sys.executable, "-P", "-m", "scripts.storm.main", "--minutes", MINUTES]
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    # Its first line is the seed, its last lines are how to repeat what failed.
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    figures = _FIGURES.search(run.stdout)
    assert figures is not None, run.stdout
    operations, faults = map(int, figures.groups())
    assert operations >= FEWEST_OPERATIONS
    assert faults >= FEWEST_FAULTS
