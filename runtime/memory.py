"""The garbage collector of a serving process.

The collector walks what was loaded at start whenever enough objects were made.  What is
there after the start stays for ever, so it is set aside, and not walked while it is loaded
either: that took a third of the API's start.  A request leaves no cycles behind
(measured: docs/performance.md); should one come to, few are collected at a time: 50,000 at
once stopped the event loop for about 20 ms.
"""

import gc

YOUNG_OBJECTS = 2_000
OLDER_COLLECTIONS = 50


def load_uncollected() -> None:
    """Collect nothing until `settle_memory`; call it before anything is loaded."""
    gc.disable()


def settle_memory() -> None:
    """Set aside what is loaded; call it once, when the process is ready to serve."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(YOUNG_OBJECTS, OLDER_COLLECTIONS, OLDER_COLLECTIONS)
