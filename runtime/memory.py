"""The garbage collector of a serving process.

A request leaves almost no cycles behind, yet the collector walks all that was loaded at
start whenever enough objects were made.  What is there after the start stays for ever, so
it is set aside.  The young are still collected often: 50,000 at a time stopped the event
loop for 20 ms, 2,000 for less than one (measured: docs/performance.md).
"""

import gc

YOUNG_OBJECTS = 2_000
OLDER_COLLECTIONS = 50


def settle_memory() -> None:
    """Set aside what is loaded; call it once, when the process is ready to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, OLDER_COLLECTIONS, OLDER_COLLECTIONS)
