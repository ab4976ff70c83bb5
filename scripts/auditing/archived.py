"""The archived trail: every root's manifest and entries, held against its signature."""

import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

import orjson

from adapters.audit_archive import Archive
from domain.audit_chain import GENESIS, Unchained, digest
from domain.audit_roots import Root, SealedHead, from_manifest
from domain.audit_verification import Finding, check_roots
from domain.ids import to_text

MANIFEST = ".json"
ENTRIES = ".jsonl.gz"


class Archived:
    """Reads an archive once, from its first month to its last."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.entries = 0
        self.roots: list[Root] = []
        self._heads: dict[int, list[SealedHead]] = {}
        self._ends: dict[UUID, tuple[int, bytes]] = {}

    def check(self, is_signed: Callable[[str, bytes, bytes], bool]) -> Iterator[Finding]:
        """What is wrong with it."""
        for name in self._archive.names(""):
            if name.endswith(MANIFEST):
                yield from self._check_root(name)
        self.roots.sort()
        yield from check_roots(self.roots, lambda number: self._heads[number], is_signed)

    def _check_root(self, name: str) -> Iterator[Finding]:
        try:
            told = orjson.loads(self._archive.get(name) or b"")
            root, heads = from_manifest(told)
        except (ValueError, KeyError, TypeError):
            yield Finding("root", "archive", None, 0, None, f"{name} is no manifest")
            return
        self.roots.append(root)
        self._heads[root.number] = heads
        packed = self._archive.get(name.removesuffix(MANIFEST) + ENTRIES)
        if packed is None:
            yield Finding("root", "archive", None, root.number, None, "its entries are not there")
            return
        if hashlib.sha256(packed).hexdigest() != told["entries_sha256"]:
            yield Finding("root", "archive", None, root.number, None, "its entries were changed")
        try:
            with gzip.open(io.BytesIO(packed)) as lines:
                yield from self._check_entries(map(orjson.loads, lines), heads)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            yield Finding("root", "archive", None, root.number, None, "its entries are unreadable")

    def _check_entries(
        self, lines: Iterable[dict[str, Any]], heads: list[SealedHead]
    ) -> Iterator[Finding]:
        for line in lines:
            self.entries += 1
            chain, sequence = UUID(hex=line["chain"]), line["sequence"]
            content = Unchained(
                UUID(hex=line["id"]),
                UUID(hex=line["merchant_id"]),
                line["livemode"],
                line["entry"].encode(),
            )
            before, previous = self._ends.get(chain, (0, GENESIS))
            hashed = digest(previous, chain, sequence, content)
            if sequence != before + 1 or hashed.hex() != line["hash"]:
                name = to_text("req", content.id)
                text = "does not continue what was archived before it"
                yield Finding("changed", "archive", chain, sequence, name, text)
            self._ends[chain] = sequence, bytes.fromhex(line["hash"])
        for head in heads:
            if self._ends.get(head.chain) != (head.sequence, head.hash):
                text = "the archived entries do not end where the root says"
                yield Finding("missing", "archive", head.chain, head.sequence, None, text)
