"""Finds what was done to the audit trail after it was written (PCI DSS 4.0.1 req. 10.3.4).

Pure: rows and heads in, findings out.  A row whose content fits a place that another row
takes is said to be moved; what fits nowhere was changed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from domain.audit_chain import FIRST_SEQUENCE, GENESIS, Unchained, digest, month_of
from domain.audit_roots import FIRST_ROOT, Root, SealedHead, root_hash, signed_bytes
from domain.ids import to_text

# Places that a row which fits its own not is tried at; beyond, it is said to be changed.
PLACES_TRIED: Final = 1000


class Row(NamedTuple):
    """A stored entry with its place; `moment` is its created_at, as the entry writes it."""

    chain: UUID
    sequence: int
    previous: bytes
    hash: bytes
    content: Unchained
    moment: str


class Finding(NamedTuple):
    """What is wrong: `kind` is changed, missing, moved, reordered, unchained or root.

    `request_id` is that of the entry spoken of; None where the entry is gone.
    """

    kind: str
    house: str
    chain: UUID | None
    sequence: int
    request_id: str | None
    text: str


@dataclass
class Verification:
    """One run over the chains of both houses."""

    heads: dict[UUID, dict[int, SealedHead]]
    findings: list[Finding] = field(default_factory=list)
    entries: int = 0
    chains: set[UUID] = field(default_factory=set)
    unsealed: int = 0
    _misfits: list[tuple[str, Row]] = field(default_factory=list)

    def read(self, house: str, rows: Iterable[Row]) -> None:
        """Go through the entries of a house, by chain and by sequence."""
        walk: _Walk | None = None
        for row in rows:
            self.entries += 1
            if walk is None or walk.chain != row.chain:
                if walk is not None:
                    self._end(walk)
                walk = _Walk(house, row.chain)
                self.chains.add(row.chain)
            self._step(walk, row)
        if walk is not None:
            self._end(walk)

    def finish(self) -> list[Finding]:
        """Every finding, once all houses were read."""
        for chain, sealed in self.heads.items():
            if chain not in self.chains and sealed:
                last = sealed[max(sealed)]
                self._missing(last.house, chain, FIRST_SEQUENCE, last.sequence)
        for house, row in self._misfits:
            self.findings.append(self._explain(house, row))
        return self.findings

    def _step(self, walk: "_Walk", row: Row) -> None:
        fits = digest(row.previous, row.chain, row.sequence, row.content) == row.hash
        if not fits or _moment(row) != row.moment:
            self._misfits.append((walk.house, row))
            # One in its place was changed there; any other says nothing about this chain.
            if row.sequence == walk.next:
                walk.took(row, fits=False)
            return
        if row.sequence > walk.next:
            self._missing(walk.house, row.chain, walk.next, row.sequence - 1)
        elif row.sequence < walk.next:
            self._add("reordered", walk.house, row, "a second entry in one place of its chain")
        elif row.previous != walk.hash and walk.fits:
            self._add("changed", walk.house, row, "does not continue the entry before it")
        elif walk.month is not None and month_of(row.content.id) != walk.month:
            self._add("moved", walk.house, row, "is of another month than its chain")
        sealed = self.heads.get(row.chain, {}).get(row.sequence)
        if sealed is not None and sealed.hash != row.hash:
            self._add("changed", walk.house, row, "is not what was sealed; its chain was rewritten")
        walk.took(row, fits=True)

    def _end(self, walk: "_Walk") -> None:
        sealed = self.heads.get(walk.chain, {})
        through = max(sealed, default=0)
        if through >= walk.next:
            self._missing(walk.house, walk.chain, walk.next, through)
        self.unsealed += max(0, walk.next - 1 - through)

    def _explain(self, house: str, row: Row) -> Finding:
        for _, place in self._misfits[:PLACES_TRIED]:
            if place is row:
                continue
            # The content was exchanged with another row's, or the row was given its place.
            taken = digest(place.previous, place.chain, place.sequence, row.content) == place.hash
            given = digest(row.previous, place.chain, place.sequence, row.content) == row.hash
            if taken or given:
                return self._from(house, row, place.chain, place.sequence)
        for missing in self.findings[:PLACES_TRIED]:
            if missing.kind == "missing" and missing.chain is not None:
                chain, sequence = missing.chain, missing.sequence
                if digest(row.previous, chain, sequence, row.content) == row.hash:
                    return self._from(house, row, chain, sequence)
        return _finding("changed", house, row, "is not what was written")

    def _from(self, house: str, row: Row, chain: UUID, sequence: int) -> Finding:
        kind = "reordered" if chain == row.chain else "moved"
        return _finding(kind, house, row, f"belongs to chain {chain}, sequence {sequence}")

    def _missing(self, house: str, chain: UUID, first: int, last: int) -> None:
        for sequence in range(first, min(last, first + PLACES_TRIED - 1) + 1):
            text = "was written and is not there"
            self.findings.append(Finding("missing", house, chain, sequence, None, text))
        if last >= first + PLACES_TRIED:
            text = f"and all after it up to {last} are not there"
            more = first + PLACES_TRIED
            self.findings.append(Finding("missing", house, chain, more, None, text))

    def _add(self, kind: str, house: str, row: Row, text: str) -> None:
        self.findings.append(_finding(kind, house, row, text))


class _Walk:
    """Where the reading of one chain has come to."""

    def __init__(self, house: str, chain: UUID) -> None:
        self.house = house
        self.chain = chain
        self.next = FIRST_SEQUENCE
        self.hash = GENESIS
        self.fits = True
        self.month: str | None = None

    def took(self, row: Row, *, fits: bool) -> None:
        """Go on behind this row."""
        self.next = max(self.next, row.sequence + 1)
        self.hash = row.hash
        self.fits = fits
        if fits and self.month is None:
            self.month = month_of(row.content.id)


def check_roots(
    roots: Iterable[Root],
    heads: Callable[[int], Sequence[SealedHead]],
    is_signed: Callable[[str, bytes, bytes], bool],
) -> Iterator[Finding]:
    """What is wrong with the roots, given in their order.

    `heads` answers those of a root; `is_signed(key_name, signature, message)` whether a known
    key signed.
    """
    number, previous = FIRST_ROOT, GENESIS
    for root in roots:
        for missing in range(number, root.number):
            yield _of_root(missing, "is not there")
        if number == root.number and root.previous != previous:
            yield _of_root(root.number, "does not continue the root before it")
        if root_hash(root.previous, root.number, root.sealed_at, heads(root.number)) != root.hash:
            yield _of_root(root.number, "was changed, or its heads were")
        elif not is_signed(root.key_name, root.signature, signed_bytes(root.number, root.hash)):
            yield _of_root(root.number, "is not signed by a known key")
        number, previous = root.number + 1, root.hash


def _of_root(number: int, text: str) -> Finding:
    return Finding("root", "main", None, number, None, text)


def _finding(kind: str, house: str, row: Row, text: str) -> Finding:
    name = to_text("req", row.content.id)
    return Finding(kind, house, row.chain, row.sequence, name, text)


def _moment(row: Row) -> str:
    """The moment that the entry itself tells; an unreadable entry tells none."""
    _, _, rest = row.content.entry.partition(b'"timestamp":"')
    return rest.partition(b'"')[0].decode(errors="replace")
