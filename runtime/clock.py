"""The wall clock, injected: nothing below the process entry reads the time by itself."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What the houses may ask of time."""

    def now(self) -> datetime:
        """The moment, aware, UTC, cut to whole milliseconds (what is stored and shown)."""
        ...

    def unix_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        seconds, milliseconds = divmod(self.unix_ms(), 1000)
        # Half of what `fromtimestamp` and `replace` take; a payment asks five times.
        return _EPOCH + timedelta(0, seconds, milliseconds * 1000)

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
