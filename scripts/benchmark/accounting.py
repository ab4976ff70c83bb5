"""CPU time of processes, from their own accounting in /proc."""

import os
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat counted after the closing bracket of the name.
_PARENT, _USER, _SYSTEM, _WAITED_USER, _WAITED_SYSTEM = 1, 11, 12, 13, 14
# How often a parent is looked at whose children end meanwhile.
_LOOKS = 20


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """User and system time of a process; with its living and ended children when asked."""
    if not with_children:
        return _ticks(_stat(pid), _USER, _SYSTEM) / _TICKS_PER_SECOND
    for _ in range(_LOOKS):
        fields = _stat(pid)
        ticks = _ticks(fields, _USER, _SYSTEM, _WAITED_USER, _WAITED_SYSTEM)
        ticks += sum(_ticks(_stat(child), _USER, _SYSTEM) for child in _children(pid))
        # A child that ended after its parent was read, and before it was, would be in neither.
        if (
            _stat(pid)[_WAITED_USER : _WAITED_SYSTEM + 1]
            == fields[_WAITED_USER : _WAITED_SYSTEM + 1]
        ):
            break
    return ticks / _TICKS_PER_SECOND


def snapshot(process_ids: dict[str, int]) -> dict[str, float]:
    """CPU seconds of every process of the stack; PostgreSQL with its backends."""
    return {
        name: cpu_seconds(pid, with_children=name == "postgres")
        for name, pid in process_ids.items()
    }


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def _ticks(fields: list[str], *places: int) -> int:
    return sum(int(fields[place]) for place in places) if fields else 0


def _children(pid: int) -> list[int]:
    entries = (entry for entry in os.listdir("/proc") if entry.isdigit())
    found = []
    for entry in entries:
        fields = _stat(int(entry))
        if fields and int(fields[_PARENT]) == pid:
            found.append(int(entry))
    return found
