"""The collector rests while a process loads, and works when it serves."""

import subprocess
import sys

from tests.serving import ROOT

# In a process of its own: what is set aside is set aside for good.
LIFE = """
import gc
from runtime.memory import YOUNG_OBJECTS, load_uncollected, settle_memory

load_uncollected()
began = gc.get_stats()[0]["collections"]
loaded = [[] for _ in range(100 * YOUNG_OBJECTS)]
while_loading = gc.get_stats()[0]["collections"] - began
settle_memory()
began = gc.get_stats()[0]["collections"]
asked = [[] for _ in range(100 * YOUNG_OBJECTS)]
print(while_loading, gc.get_stats()[0]["collections"] > began, gc.get_freeze_count() > len(loaded))
"""


def test_what_is_loaded_is_set_aside_unwalked() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LIFE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["0", "True", "True"]
