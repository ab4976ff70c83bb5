"""Our payments and holds against the journal of the simulated card networks: their truth.

The journal is read after the snapshot of our books was taken, so it may be ahead.  What
holds at any moment is compared always: what we have captured, paid back and hold is on the
networks' books, and no payment was approved twice.  Once all work is done (`settled`) the
two are equal.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from scripts.bookkeeping import chargebacks
from scripts.bookkeeping.books import Session
from scripts.bookkeeping.chargebacks import Charged, Moment
from scripts.bookkeeping.difference import Difference
from vault.networks.behaviours import behaviour_named
from vault.networks.books import DRAW
from vault.networks.journal import Line

ROWS_AT_ONCE: Final = 5000
OWNERS_SHARED: Final = 10_000
_DECODER: Final = msgspec.json.Decoder(Line)
_PAYMENTS: Final = """
    WITH paid AS (
        SELECT payment_id AS id, merchant_id, sum(amount) FILTER (WHERE status = 'succeeded')
            AS paid, count(*) FILTER (WHERE status = 'pending') AS pending
        FROM refunds GROUP BY 1, 2
    ), claimed AS (
        SELECT payment_id AS id, merchant_id, jsonb_object_agg(chargeback_id, amount) AS disputes
        FROM disputes GROUP BY 1, 2
    )
    SELECT id, merchant_id, livemode, status, amount_authorized, amount_captured, currency,
        resume_at IS NOT NULL OR operation IS NOT NULL OR coalesce(pending, 0) > 0 AS unfinished,
        status IN ('failed', 'cancelled') AND resume_at IS NULL AND operation IS NULL AS ended,
        coalesce(paid, 0)::bigint AS paid, coalesce(pending, 0) AS pending_refunds, disputes,
        amount_captured - amount_refunded - amount_disputed AS left_to_dispute,
        hold_id IS NOT NULL AND EXISTS (
            SELECT FROM hold_draws WHERE hold_draws.id = payments.id
                AND hold_draws.merchant_id = payments.merchant_id AND present_at IS NOT NULL
        ) AS unheard,
        hold_id IS NOT NULL AND EXISTS (
            SELECT FROM hold_draws WHERE hold_draws.id = payments.id
                AND hold_draws.merchant_id = payments.merchant_id AND lost_at IS NOT NULL
        ) AS lost
    FROM payments LEFT JOIN paid USING (id, merchant_id)
    LEFT JOIN claimed USING (id, merchant_id)"""
_HOLDS: Final = """
    WITH drawn AS (
        SELECT hold_id AS id, merchant_id,
            sum(amount) FILTER (WHERE present_at IS NULL AND lost_at IS NULL) AS heard,
            sum(amount) FILTER (WHERE lost_at IS NOT NULL) AS lost,
            count(*) FILTER (WHERE present_at IS NOT NULL) AS unheard
        FROM hold_draws GROUP BY 1, 2
    ), added AS (
        SELECT hold_id AS id, merchant_id, count(*) AS pending FROM hold_top_ups
        WHERE status = 'pending' GROUP BY 1, 2
    )
    SELECT id, merchant_id, livemode, status, amount_authorized, amount_drawn, currency,
        resume_at IS NOT NULL OR coalesce(unheard, 0) + coalesce(pending, 0) > 0 AS unfinished,
        coalesce(heard, 0)::bigint AS heard, coalesce(lost, 0)::bigint AS lost
    FROM holds LEFT JOIN drawn USING (id, merchant_id) LEFT JOIN added USING (id, merchant_id)"""
# An approval that comes a day late is noticed some hours after it (docs/decisions/0048).
_GIVEN_BACK_WITHIN_MS: Final = 8 * 60 * 60 * 1000
_HOLDING: Final = ("authorized", "captured", "refunded")
_ENDED: Final = ("released", "expired")


class Owner(NamedTuple):
    """Whose money it is: a merchant (32 hex digits) and mode, and the currency."""

    merchant: str
    livemode: bool
    currency: str

    def __str__(self) -> str:
        return f"{'live' if self.livemode else 'test'} {self.currency} of {self.merchant}"


# One object for all payments of a merchant.
_owner: Final = lru_cache(maxsize=OWNERS_SHARED)(Owner)


@dataclass(slots=True)
class Story:
    """What the networks did for one payment or hold, in minor units."""

    # For whom, and for whom else, which must be nobody.
    owner: Owner | None = None
    other: Owner | None = None
    approvals: int = 0
    # When the last approval was given, in unix ms.
    approved_at: int = 0
    reversals: int = 0
    authorised: int = 0
    # Of a hold: what was added to it, taken out of it and given back of it.
    added: int = 0
    drawn: int = 0
    given_back: int = 0
    # A sale that is reversed is captured no more.
    sales: int = 0
    captured: int = 0
    paid_back: int = 0
    charged: Charged = field(default_factory=dict)


class Comparison(NamedTuple):
    """The first payment or hold that the networks see otherwise, if there is one, and how many
    chargebacks wait for refunds or captures of ours."""

    differences: list[Difference]
    waiting: int


def stories(journal: Path) -> dict[str, Story]:
    """What the journal tells, by payment or hold (32 hex digits)."""
    told: dict[str, Story] = {}
    if not journal.exists():
        return told
    with journal.open("rb") as lines:
        for text in lines:
            try:
                line = _DECODER.decode(text)
            except msgspec.MsgspecError:
                # A torn last line of a killed process: it was not answered.
                continue
            if line.hold is not None:
                _add_to_hold(told.setdefault(line.hold, Story()), line)
            if line.hold is None or line.kind == DRAW:
                _add(told.setdefault(line.payment, Story()), line)
    return told


def _add_owner(story: Story, line: Line) -> None:
    if line.decision not in ("approved", "pending"):
        return
    owner = _owner(line.merchant, line.livemode, line.currency)
    story.owner = story.owner or owner
    if owner != story.owner:
        story.other = owner


def _add_to_hold(story: Story, line: Line) -> None:
    _add_owner(story, line)
    if line.decision == "approved":
        if line.kind == DRAW:
            story.drawn += line.amount
        else:
            story.added += -line.amount if line.kind == "reverse" else line.amount


def _add(story: Story, line: Line) -> None:
    _add_owner(story, line)
    if line.kind == "refund":
        fails = behaviour_named(line.behaviour).refund_settles_as == "declined"
        if line.decision == "approved" or (line.decision == "pending" and not fails):
            story.paid_back += line.amount
    if line.decision != "approved":
        return
    if line.kind in ("authorise", "sale", DRAW):
        story.approvals += 1
        story.approved_at = line.at
        story.authorised = line.amount
        story.sales += line.kind == "sale"
        if line.kind != "authorise":
            story.captured += line.amount
    elif line.kind == "capture":
        story.captured += line.amount
    elif line.kind == "reverse":
        story.reversals += 1
        story.given_back += line.amount
        if story.sales:
            story.captured -= line.amount
    elif line.kind == "chargeback":
        story.charged[line.attempt] = (line.amount, line.at)


def compare(session: Session, journal: Path, settled: bool) -> Comparison:
    """Our payments and holds beside what the networks' journal tells of them."""
    # The snapshot is taken first, by any statement: nothing of ours is ahead of theirs then.
    session.execute(b"SELECT FROM payments LIMIT 1")
    told = stories(journal)
    moment = Moment(settled, int(time.time() * 1000))
    found: list[Difference] = []
    waiting = 0
    for kind, statement, compared in _BOOKS:
        with session.cursor(f"{kind}s") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(statement.encode())
            for row in cursor:
                story = told.pop(row["id"].hex, Story())
                if story.charged:
                    waiting += chargebacks.waiting(row, story.charged)
                differing = chain(_whose(row, story), compared(row, story, moment))
                for rule, expected, said in () if found else differing:
                    found = [Difference(rule, f"{kind} {row['id']}", expected, said)]
                    break
    if settled and not found:
        found = _unknown(told)
    return Comparison(found, waiting)


def _whose(row: dict[str, Any], story: Story) -> Iterator[tuple[str, str, str]]:
    expected = Owner(row["merchant_id"].hex, row["livemode"], row["currency"])
    for owner in (story.owner, story.other):
        if owner not in (None, expected):
            yield "the networks did it for its owner", str(expected), str(owner)


def _compared_hold(
    row: dict[str, Any], story: Story, moment: Moment
) -> Iterator[tuple[str, str, str]]:
    standing, ceiling = story.approvals - story.reversals, story.authorised + story.added
    if story.approvals > 1:
        yield "a hold is approved once", "1", str(story.approvals)
    if row["amount_authorized"] > ceiling:
        yield "the networks hold it", str(row["amount_authorized"]), str(ceiling)
    if row["heard"] > story.drawn:
        yield "the networks heard of its draws", str(row["heard"]), str(story.drawn)
    if not moment.settled:
        return
    if row["unfinished"] or row["status"] == "pending":
        yield "all work is done", "a finished hold", f"{row['status']}, unfinished"
    drawn = row["amount_drawn"] - row["lost"]
    if drawn != story.drawn:
        yield "the networks heard of its draws", str(drawn), str(story.drawn)
    # One that is used up has nothing to give back, but what the network refused to give.
    ended = row["status"] in _ENDED or (row["status"] == "used_up" and row["lost"] > 0)
    holds = int(row["status"] in ("active", "used_up") and not ended)
    if standing != holds:
        yield "a hold stands while it is ours", str(holds), str(standing)
    if holds and row["amount_authorized"] != ceiling:
        yield "the networks hold no more", str(row["amount_authorized"]), str(ceiling)
    if ended and story.given_back != ceiling - story.drawn:
        yield "the networks gave back the rest", str(ceiling - story.drawn), str(story.given_back)


def _compared(row: dict[str, Any], story: Story, moment: Moment) -> Iterator[tuple[str, str, str]]:
    if row["unheard"]:
        # Drawn on a hold, which the networks may or may not have heard of.
        if moment.settled:
            yield "all work is done", "a draw that was presented", "one that was not"
        return
    if row["lost"]:
        if story.approvals or row["paid"]:
            found = f"{story.approvals} approvals, {row['paid']} paid back"
            yield "the networks refused what was lost", "nothing", found
        if moment.settled and row["unfinished"]:
            yield "all work is done", "a finished payment", f"{row['status']}, unfinished"
        return
    standing = story.approvals - story.reversals
    if standing > 1:
        yield "a payment is approved once", "1", str(standing)
    if row["status"] in _HOLDING and story.authorised != row["amount_authorized"]:
        yield "the networks approved it", str(row["amount_authorized"]), str(story.authorised)
    if row["amount_captured"] and story.captured != row["amount_captured"]:
        yield "the networks captured it", str(row["amount_captured"]), str(story.captured)
    if row["paid"] > story.paid_back:
        yield "the networks paid it back", str(row["paid"]), str(story.paid_back)
    yield from chargebacks.compared(row, story.charged, moment)
    given_back = moment.now_ms - _GIVEN_BACK_WITHIN_MS
    if row["ended"] and standing and story.approved_at < given_back:
        yield "an approval stands while we hold it", "0", str(standing)
    if not moment.settled:
        return
    if row["unfinished"] or row["status"] == "pending":
        yield "all work is done", "a finished payment", f"{row['status']}, unfinished"
    holds = int(row["status"] in _HOLDING)
    if standing != holds:
        yield "an approval stands while we hold it", str(holds), str(standing)
    if story.captured != row["amount_captured"]:
        yield "the networks captured no more", str(row["amount_captured"]), str(story.captured)
    if row["paid"] != story.paid_back:
        yield "the networks paid back no more", str(row["paid"]), str(story.paid_back)


def _unknown(left: dict[str, Story]) -> list[Difference]:
    for payment, story in left.items():
        standing = story.approvals - story.reversals
        if standing or story.captured or story.paid_back:
            rule = "the networks hold nothing that we do not know"
            found = f"{standing}, {story.captured} captured, {story.paid_back} paid back"
            return [Difference(rule, f"payment or hold {payment}", "0 approvals", found)]
    return []


_BOOKS: Final = (("payment", _PAYMENTS, _compared), ("hold", _HOLDS, _compared_hold))
