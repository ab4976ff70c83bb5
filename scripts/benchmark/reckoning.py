"""After a load: what was answered, beside the database and the networks' journal."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.rows import dict_row

from domain.ids import from_text
from scripts.benchmark.figures import succeeded
from scripts.benchmark.generator import Told
from scripts.benchmark.mix import CAPTURE, CREATES
from scripts.bookkeeping.networks import Story, stories

_HELD: Final = ("authorized", "captured", "refunded")
_PAYMENTS: Final = """SELECT id, idempotency_key, status, amount_captured FROM payments"""
_REFUSALS: Final = (429, 503)


class Reckoning(NamedTuple):
    """Ids, or keys, of what is not as it was answered; all empty when nothing is wrong.

    `lost`: answered with a success, and not in the database or not at the network.
    `doubled`: there more than once.  `undone`: refused with 429 or 503, which promise that
    nothing was done, and done all the same.  `kept`: successes that are there exactly once.
    """

    lost: list[str]
    doubled: list[str]
    undone: list[str]
    kept: int


def reckon(database_url: str, journal: Path, told: Iterable[Told]) -> Reckoning:
    """Look every answer up; no work may be under way any more."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        rows = connection.execute(_PAYMENTS).fetchall()
    by_key = {str(row["idempotency_key"]): row for row in rows}
    by_id = {row["id"].hex: row for row in rows}
    told_there = stories(journal)
    doubled = {payment for payment, story in told_there.items() if _twice(story)}
    lost, undone, kept = [], [], 0
    owners: dict[str, str] = {}
    for each in told:
        if each.kind in CREATES and each.status in _REFUSALS and each.key in by_key:
            undone.append(each.key)
        if each.kind not in (*CREATES, CAPTURE) or not succeeded(each):
            continue
        identifier = from_text("pay", each.payment)
        payment = "" if identifier is None else identifier.hex
        row = by_key.get(each.key) if each.kind in CREATES else by_id.get(payment)
        if each.kind in CREATES and owners.setdefault(payment, each.key) != each.key:
            doubled.add(payment)
        if row is None or row["id"].hex != payment or not _stands(each, row, told_there):
            lost.append(each.payment or each.key)
        else:
            kept += 1
    return Reckoning(lost, sorted(doubled), undone, kept)


def _twice(story: Story) -> bool:
    return story.approvals - story.reversals > 1 or story.captured > story.authorised


def _stands(told: Told, row: dict[str, Any], told_there: dict[str, Story]) -> bool:
    """Whether what was answered is in the row, and what the row says in the journal."""
    story = told_there.get(row["id"].hex, Story())
    held = row["status"] in _HELD
    if told.status == 202 and not held:
        # It was queued, and given up since: then no approval may stand.
        return story.approvals == story.reversals
    if told.kind == CAPTURE and row["status"] not in ("captured", "refunded"):
        return False
    return held and story.approvals == 1 and story.captured == row["amount_captured"]
