"""How grants stand, kept in Valkey for the other processes, sealed (blueprint section 4).

PostgreSQL is the truth.  A record lives for a minute, and spares a process that meets an access
token for the first time the read of its grant.  It is believed only where it was read from the
database after every change that this process has heard of, and after the process began to
listen, so it never keeps a revoked token alive.  Valkey may be empty, altered or gone.
"""

import asyncio
import base64
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from adapters.kept_link import KeptLink
from adapters.keys import Seals
from adapters.keys.seals import SealBroken
from adapters.valkey_link import LinkLost
from runtime.clock import Clock

KEPT_SECONDS: Final = b"60"
FRESH_SECONDS: Final = 60.0
# What clocks of two machines may differ by.
CLOCK_MARGIN_SECONDS: Final = 5.0
CHANGED_MERCHANTS: Final = 10_000
_PURPOSE: Final = "oauth grant record"
_IDS: Final = ("id", "merchant_id", "client_id", "user_id")
_MOMENTS: Final = (
    "revoked_at",
    "client_deleted_at",
    "merchant_terminated_at",
    "frozen_time",
)


class TokenRecords:
    """Reads and writes sealed records; None of a url: does nothing."""

    def __init__(self, url: str | None, seals: Seals, clock: Clock) -> None:
        self._link = KeptLink(url)
        self._seals = seals
        self._clock = clock
        self._believed_from = self._clock.now().timestamp() + CLOCK_MARGIN_SECONDS
        self._changed: dict[UUID, float] = {}

    async def read(self, merchant_id: UUID, grant_id: UUID) -> dict[str, Any] | None:
        """A grant as another process has read it lately; None where that is not known."""
        link = self._link.now
        if link is None:
            return None
        try:
            reply = await link.ask(b"GET", _name(merchant_id, grant_id))
            sealed = base64.b64decode(reply, validate=True)
            text = await self._seals.open(merchant_id, _PURPOSE, sealed)
        except (LinkLost, ValueError, SealBroken):
            return None
        record: dict[str, Any] = orjson.loads(text)
        if not self._is_believed(merchant_id, record.pop("read_at")):
            return None
        for name in _IDS:
            record[name] = UUID(record[name])
        for name in _MOMENTS:
            record[name] = record[name] and datetime.fromisoformat(record[name])
        return record if record["id"] == grant_id else None

    async def write(self, row: dict[str, Any], read_at: datetime) -> None:
        """Keep what the database said at `read_at`."""
        link = self._link.now
        if link is None:
            return
        text = orjson.dumps({**row, "read_at": read_at.timestamp()})
        sealed = await self._seals.seal(row["merchant_id"], _PURPOSE, text)
        name, record = _name(row["merchant_id"], row["id"]), base64.b64encode(sealed)
        # Nobody waits for it, and a loss is no error.
        link.ask(b"SET", name, record, b"EX", KEPT_SECONDS).add_done_callback(_let_be)

    def forget(self, merchant_id: UUID) -> None:
        """Believe nothing of this merchant that was read before now."""
        if len(self._changed) >= CHANGED_MERCHANTS:
            self.forget_all()
        self._changed[merchant_id] = self._clock.now().timestamp() + CLOCK_MARGIN_SECONDS

    def forget_all(self) -> None:
        """Believe nothing that was read before now."""
        self._believed_from = self._clock.now().timestamp() + CLOCK_MARGIN_SECONDS
        self._changed.clear()

    def start(self) -> None:
        """Begin to connect."""
        self._link.start()

    async def close(self) -> None:
        """End the link."""
        await self._link.close()

    def _is_believed(self, merchant_id: UUID, read_at: float) -> bool:
        now = self._clock.now().timestamp()
        since = max(self._believed_from, self._changed.get(merchant_id, 0.0))
        return since < read_at <= now + CLOCK_MARGIN_SECONDS and now - read_at < FRESH_SECONDS


def _name(merchant_id: UUID, grant_id: UUID) -> bytes:
    # The braces keep a merchant's records on one shard of a cluster.
    return f"oauth:{{{merchant_id.hex}}}:{grant_id.hex}".encode()


def _let_be(reply: "asyncio.Future[bytes]") -> None:
    if not reply.cancelled():
        reply.exception()
