"""CPU time is counted once, also that of children which end while it is being counted."""

import subprocess
import sys

from scripts.benchmark.accounting import cpu_seconds

LOOKS = 300
# Children that burn 60 ms each, one after another, and are waited for.
_PARENT = """
import os, time
while True:
    if not (child := os.fork()):
        while time.process_time() < 0.06: pass
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_nothing_that_was_counted_is_lost() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT]) as parent:
        try:
            counted = [cpu_seconds(parent.pid, with_children=True) for _ in range(LOOKS)]
        finally:
            parent.kill()
    assert counted == sorted(counted)
    assert counted[-1] > counted[0]
