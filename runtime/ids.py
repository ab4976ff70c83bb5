"""UUIDv7 identifiers (RFC 9562 section 5.7): time-ordered, made in the process.

They are made here and not in the database, so that the same code runs on every
PostgreSQL version and an id is known before its row is written.
"""

import os
import time
from collections.abc import Iterator
from uuid import UUID

_MILLISECONDS_SHIFT = 80
_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62
_RANDOM_A_MASK = 0xFFF << 64
_RANDOM_B_MASK = (1 << 62) - 1
# All below the milliseconds is made for many ids at once: the system call for the random bytes
# costs more than an id, and what is done in a row costs least.
_NOISE_BYTES = 10
_IDS_PER_FETCH = 256
_ends: list[int] = []


def uuid7(unix_ms: int | None = None) -> UUID:
    """A new UUIDv7; `unix_ms` is the millisecond it carries, now when left out."""
    milliseconds = time.time_ns() // 1_000_000 if unix_ms is None else unix_ms
    try:
        end = _ends.pop()
    except IndexError:
        _ends.extend(_more_ends())
        end = _ends.pop()
    return UUID(int=milliseconds << _MILLISECONDS_SHIFT | end)


def _more_ends() -> Iterator[int]:
    fetched = os.urandom(_NOISE_BYTES * _IDS_PER_FETCH)
    for start in range(0, len(fetched), _NOISE_BYTES):
        noise = int.from_bytes(fetched[start : start + _NOISE_BYTES], "big")
        random = noise & _RANDOM_A_MASK | noise & _RANDOM_B_MASK
        yield _VERSION_7 | _VARIANT_RFC | random


# A forked process must not hand out its parent's ids.
os.register_at_fork(after_in_child=_ends.clear)
