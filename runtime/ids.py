"""UUIDv7 identifiers (RFC 9562 section 5.7): time-ordered, made in the process.

They are made here and not in the database, so that the same code runs on every
PostgreSQL version and an id is known before its row is written.
"""

import os
import time
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62
_RANDOM_A_MASK = 0xFFF << 64
_RANDOM_B_MASK = (1 << 62) - 1
# Random bytes are fetched for many ids at once: the system call costs more than the id.
_NOISE_BYTES = 10
_IDS_PER_FETCH = 256
_noise: list[bytes] = []


def uuid7(unix_ms: int | None = None) -> UUID:
    """A new UUIDv7; `unix_ms` is the millisecond it carries, now when left out."""
    milliseconds = time.time_ns() // 1_000_000 if unix_ms is None else unix_ms
    noise = int.from_bytes(_ten_random_bytes(), "big")
    value = (
        (milliseconds << 80)
        | _VERSION_7
        | (noise & _RANDOM_A_MASK)
        | _VARIANT_RFC
        | (noise & _RANDOM_B_MASK)
    )
    return UUID(int=value)


def _ten_random_bytes() -> bytes:
    try:
        return _noise.pop()
    except IndexError:
        fetched = os.urandom(_NOISE_BYTES * _IDS_PER_FETCH)
        starts = range(0, len(fetched), _NOISE_BYTES)
        _noise.extend(fetched[start : start + _NOISE_BYTES] for start in starts)
        return _noise.pop()


# A forked process must not hand out its parent's ids.
os.register_at_fork(after_in_child=_noise.clear)
