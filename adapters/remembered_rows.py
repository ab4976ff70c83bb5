"""Rows of payments and customers kept in Valkey for reads, where a setting asks for it.

Off by default: docs/decisions/0023-redis-caches.md has what it costs.  Rows are kept, not
answers, under merchant, mode and id, so that no answer of one merchant, version or set of
fields can reach another.  A row is written after its commit, only over an older one; what
cannot be ordered leaves a mark that keeps older rows out.  Valkey may be empty, wrong in
its timing or gone: then the database is read.
"""

import asyncio
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from adapters.kept_link import KeptLink
from adapters.valkey_link import LinkLost
from domain.remembering import Changed

# A row that waited longer than this since it was read is not written: whatever it could
# overwrite would be over by then too.
WRITTEN_WITHIN_SECONDS: Final = 5.0
_NOTHING: Final = (b"$-1", b"_")
# `order` in front of the row decides; a mark is an order without a row.
_WRITE: Final = b"""
local old = redis.call('GET', KEYS[1])
local order = tonumber(ARGV[1])
if old then
  local there = tonumber(string.match(old, '^%d+'))
  if there > order or (there == order and ARGV[2] ~= '') then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'EX', ARGV[3])
return 1
"""


class Kind(NamedTuple):
    """What is kept of one kind of object, and for how long (blueprint section 8)."""

    seconds: bytes
    plain: tuple[str, ...]
    ids: tuple[str, ...]
    moments: tuple[str, ...]
    # Bytes, as hexadecimal digits.
    sealed: tuple[str, ...] = ()


KINDS: Final = {
    "payment": Kind(
        b"30",
        (
            "livemode",
            "amount",
            "currency",
            "status",
            "is_token",
            "capture",
            "description",
            "metadata",
            "amount_authorized",
            "amount_captured",
            "amount_refunded",
            "amount_disputed",
            "failure_code",
            "decline_code",
            "pending_reason",
            "network",
        ),
        ("id", "merchant_id", "payment_method_id", "customer_id", "hold_id", "idempotency_key"),
        ("created_at", "captured_at"),
    ),
    "customer": Kind(
        b"120",
        ("livemode", "metadata", "revision"),
        ("id", "merchant_id"),
        ("created_at",),
        ("email_sealed", "name_sealed"),
    ),
}


class RememberedRows:
    """Reads and writes rows by kind, merchant, mode and id; None of a url: does nothing."""

    def __init__(self, url: str | None) -> None:
        self.on = url is not None
        self._link = KeptLink(url)

    async def read(
        self, kind: str, merchant_id: UUID, livemode: bool, identifier: UUID
    ) -> dict[str, Any] | None:
        """The row as it was remembered; None where it is not, or Valkey does not say."""
        link = self._link.now
        if link is None:
            return None
        try:
            reply = await link.ask(b"GET", _name(kind, merchant_id, livemode, identifier))
        except LinkLost:
            return None
        _, _, text = reply.partition(b" ")
        if reply in _NOTHING or not text:
            return None
        row = _restored(KINDS[kind], text)
        mine = (row["id"], row["merchant_id"], row["livemode"])
        return row if mine == (identifier, merchant_id, livemode) else None

    def moment(self) -> float:
        """The moment to give to `write` for what is read or written from now on."""
        return asyncio.get_running_loop().time()

    def write(self, change: Changed, seen_at: float) -> None:
        """Remember what was committed; `seen_at` is the loop's time when it was read."""
        link = self._link.now
        if link is None or asyncio.get_running_loop().time() - seen_at > WRITTEN_WITHIN_SECONDS:
            return
        kind, row = KINDS[change.kind], change.row
        kept = (*kind.plain, *kind.ids, *kind.moments)
        text = b""
        if not change.unknown:
            sealed = {name: row[name] and bytes(row[name]).hex() for name in kind.sealed}
            text = orjson.dumps({name: row[name] for name in kept} | sealed)
        name = _name(change.kind, row["merchant_id"], row["livemode"], row["id"])
        order = str(change.order).encode()
        # Nobody waits for it, and a loss is no error.
        link.ask(b"EVAL", _WRITE, b"1", name, order, text, kind.seconds).add_done_callback(_let_be)

    def start(self) -> None:
        """Begin to connect."""
        self._link.start()

    async def close(self) -> None:
        """End the link."""
        await self._link.close()


def _name(kind: str, merchant_id: UUID, livemode: bool, identifier: UUID) -> bytes:
    # The braces keep a merchant's rows on one shard of a cluster.
    return f"{kind}:{{{merchant_id.hex}}}:{livemode:d}:{identifier.hex}".encode()


def _restored(kind: Kind, text: bytes) -> dict[str, Any]:
    row: dict[str, Any] = orjson.loads(text)
    for name in kind.ids:
        # A process of the release before may have remembered it, without the newest of these.
        row[name] = None if row.get(name) is None else UUID(row[name])
    for name in kind.moments:
        row[name] = None if row[name] is None else datetime.fromisoformat(row[name])
    for name in kind.sealed:
        row[name] = None if row[name] is None else bytes.fromhex(row[name])
    return row


def _let_be(reply: "asyncio.Future[bytes]") -> None:
    if not reply.cancelled():
        reply.exception()
