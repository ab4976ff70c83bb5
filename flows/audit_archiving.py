"""Putting what a root has sealed into the archive: entries as gzipped JSON lines, a manifest.

The manifest is written last: a root without one is exported again, and the bytes come out
the same, so that an interrupted export goes on where it stopped.
"""

import asyncio
import gzip
import hashlib
import io
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from contract import relay
from domain.audit_roots import VAULT, Root, SealedHead, manifest
from domain.ids import to_text
from flows.house import House
from models import audit_roots
from runtime.chained_rows import read_segment
from runtime.log import log

# A frame of the private door holds 256 KiB.
ENTRIES_PER_QUESTION: Final = 100
VAULT_SECONDS: Final = 5.0
NUMBER_DIGITS: Final = 12


class AuditArchiving:
    """Exports one root a turn, oldest first."""

    def __init__(self, house: House) -> None:
        self._house = house
        # Roots before this one are archived; after a start it is found again.
        self._after = 0

    async def turn(self) -> int:
        """Export the next root; how many were, 0 when there is none."""
        archive = self._house.archive
        async with self._house.database.reading() as transaction:
            root = await audit_roots.next_to_archive(transaction, archive.name, self._after)
            if root is None:
                return 0
            segments = await audit_roots.segments_of(transaction, root.number)
            keys = await audit_roots.public_keys(transaction)
        packed, entries = await self._packed(segments)
        digest = hashlib.sha256(packed)
        heads = [head for head, _ in segments]
        told = manifest(root, heads, entries, digest.hexdigest())
        objects = {
            f"keys/{root.key_name}.pub": keys[root.key_name].hex().encode() + b"\n",
            f"{name_of(root)}.jsonl.gz": packed,
            f"{name_of(root)}.json": orjson.dumps(told, option=orjson.OPT_INDENT_2),
        }
        for name, content in objects.items():
            await asyncio.to_thread(archive.put, name, content)
        async with self._house.database.transaction() as transaction:
            now = self._house.clock.now()
            await audit_roots.add_export(
                transaction, root.number, archive.name, digest.digest(), now
            )
        self._after = root.number
        log("audit_archived", root=root.number, entries=entries)
        return 1

    async def _packed(self, segments: list[tuple[SealedHead, int]]) -> tuple[bytes, int]:
        """The gzipped lines and their number; only packed is there room for those of hours."""
        packed, entries = io.BytesIO(), 0
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as lines:
            async for line in self._lines(segments):
                lines.write(line)
                entries += 1
        return packed.getvalue(), entries

    async def _lines(self, segments: list[tuple[SealedHead, int]]) -> AsyncIterator[bytes]:
        for head, after in segments:
            reading = self._of_vault if head.house == VAULT else self._own
            while after < head.sequence:
                entries = await reading(head, after)
                if not entries:
                    raise LookupError("a sealed entry is not there; scripts/audit verify says more")
                for entry in entries:
                    shared = {"house": head.house, "chain": head.chain.hex}
                    yield orjson.dumps({**shared, **entry}, option=orjson.OPT_APPEND_NEWLINE)
                after = entries[-1]["sequence"]

    async def _own(self, head: SealedHead, after: int) -> list[dict[str, Any]]:
        async with self._house.database.reading() as transaction:
            rows = await read_segment(
                transaction, head.chain, after, head.sequence, ENTRIES_PER_QUESTION
            )
        return [
            {
                "sequence": row["sequence"],
                "id": row["id"].hex,
                "merchant_id": row["merchant_id"].hex,
                "livemode": row["livemode"],
                "previous": bytes(row["previous"]).hex(),
                "hash": bytes(row["hash"]).hex(),
                "entry": row["entry"],
            }
            for row in rows
        ]

    async def _of_vault(self, head: SealedHead, after: int) -> list[dict[str, Any]]:
        question = relay.ReadAuditSegment(
            request_id=to_text("req", self._house.new_id()),
            chain=head.chain,
            after=after,
            through=head.sequence,
            limit=ENTRIES_PER_QUESTION,
        )
        answer = await self._house.vault.call(question, VAULT_SECONDS)
        if not isinstance(answer, relay.AuditSegment):
            raise TypeError("the vault answered something else than entries")
        return [
            {
                "sequence": entry.sequence,
                "id": entry.id.hex,
                "merchant_id": entry.merchant_id.hex,
                "livemode": entry.livemode,
                "previous": entry.previous,
                "hash": entry.hash,
                "entry": entry.entry,
            }
            for entry in answer.entries
        ]


def name_of(root: Root) -> str:
    """Where a root lies in the archive, by month: `2026-11/000000000042`."""
    return f"{root.sealed_at:%Y-%m}/{root.number:0{NUMBER_DIGITS}d}"
