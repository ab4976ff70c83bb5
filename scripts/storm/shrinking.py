"""Finding a short schedule that still fails: halves first, then all but a part, and so on."""

from collections.abc import Callable
from typing import Final

from scripts.storm.faults import FIRST_FAULT_SECONDS, Fault

HALVES: Final = 2


def shrunk(faults: list[Fault], fails: Callable[[list[Fault]], bool], runs: int) -> list[Fault]:
    """The shortest list that was seen to fail within `runs` trials (delta debugging)."""
    pieces = HALVES
    while len(faults) > 1:
        for candidate in _candidates(faults, pieces):
            if runs == 0:
                return faults
            runs -= 1
            if fails(candidate):
                faults, pieces = candidate, max(pieces - 1, HALVES)
                break
        else:
            if pieces >= len(faults):
                return faults
            pieces = min(pieces * HALVES, len(faults))
    return faults


def _candidates(faults: list[Fault], pieces: int) -> list[list[Fault]]:
    size = -(-len(faults) // pieces)
    parts = [faults[start : start + size] for start in range(0, len(faults), size)]
    if len(parts) == HALVES:
        return parts
    return parts + [[each for each in faults if each not in part] for part in parts]


def moved_forward(faults: list[Fault]) -> list[Fault]:
    """The same faults with the same gaps, without the waiting before the first."""
    if not faults:
        return []
    earlier = faults[0].at - FIRST_FAULT_SECONDS
    return [
        Fault(round(each.at - earlier, 2), each.kind, each.target, each.seconds) for each in faults
    ]
