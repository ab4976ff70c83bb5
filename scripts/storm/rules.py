"""What holds whatever was asked: the journal, the events and the totals."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import msgspec

from scripts.storm.diary import Diary
from scripts.storm.found import Findings, Rows, Stored
from vault.networks.journal import Line

_DECODER: Final = msgspec.json.Decoder(Line)
_APPROVALS: Final = ("authorise", "sale")
_SETTLED_REFUNDS: Final = {"succeeded": "refund.succeeded", "failed": "refund.failed"}


def compare_journal(journal: Path, kept: Stored, findings: Findings) -> None:
    """The networks approved each payment once at most, captured it once, and paid back no more.

    An approval that came late, after the payment was asked for again, is given back.
    """
    moved = _moved(journal)
    refunds: Counter[str] = Counter()
    for row in kept.refunds:
        refunds[row["payment_id"].hex] += 1
    held = {row["id"].hex: 1 + row["top_ups"] for row in kept.holds}
    for payment, did in moved.items():
        approved = did["authorise"] + did["sale"] - did["reverse"]
        sold = max(did["sale"] - did["reverse"], 0)
        if approved > held.get(payment, 1):
            findings.doubled.append(f"{approved} approvals of payment {payment}")
        if did["capture"] + sold + did["draw"] > 1:
            findings.doubled.append(f"captured twice: payment {payment}")
        if did["refund"] > refunds[payment]:
            findings.doubled.append(
                f"{did['refund']} refunds by the network, {refunds[payment]} of ours:"
                f" payment {payment}"
            )
    for row in kept.payments:
        if row["amount_refunded"] + row["amount_disputed"] > row["amount_captured"]:
            findings.doubled.append(f"more went back than was captured: payment {row['id']}")


def _moved(journal: Path) -> dict[str, Counter[str]]:
    """How often the networks did what, by payment."""
    moved: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with journal.open("rb") as lines:
        for text in lines:
            try:
                line = _DECODER.decode(text)
            except msgspec.MsgspecError:
                # A process that was killed while writing: nobody was told.
                continue
            if line.decision == "approved":
                moved[line.payment][line.kind] += 1
    return moved


def compare_events(diary: Diary, kept: Stored, findings: Findings) -> None:
    """Sequences have no gap, each last event shows what is stored, and each was delivered."""
    told: defaultdict[Any, Rows] = defaultdict(list)
    for event in kept.events:
        told[event["object_id"]].append(event)
        if f"evt_{event['id'].hex}" not in diary.delivered:
            findings.lost.append(f"event {event['id']} {event['type']} was not delivered")
    for row in kept.payments:
        # A refund of everything is told by refund.succeeded.
        last = None if row["status"] == "refunded" else row["status"]
        _sequence("payment", row, told[row["id"]], last, findings)
    for row in kept.holds:
        _sequence("hold", row, told[row["id"]], None, findings)
    for row in kept.refunds:
        _sequence("refund", row, told[row["id"]], row["status"], findings)
        types = [event["type"] for event in told[row["id"]]]
        wanted = ["refund.created", _SETTLED_REFUNDS.get(row["status"], "refund.created")]
        if types != wanted[: len(set(wanted))]:
            findings.lost.append(f"refund {row['id']} is {row['status']}, told of by {types}")


def _sequence(
    kind: str, row: dict[str, Any], events: Rows, last: str | None, findings: Findings
) -> None:
    numbers = [event["sequence"] for event in events]
    if numbers != list(range(1, row["event_sequence"] + 1)):
        findings.lost.append(f"events of {kind} {row['id']} run {numbers}")
    elif row["event_sequence"] and last not in (None, events[-1]["status"]):
        findings.lost.append(f"{kind} {row['id']} is {last}, told {events[-1]['status']}")


def count_payments(kept: Stored, findings: Findings) -> None:
    """Counters are as many as there are rows."""
    counted = Counter((row["merchant_id"], row["status"]) for row in kept.payments)
    totals = {(row["merchant_id"], row["status"]): row["count"] for row in kept.counters}
    for place in counted.keys() | totals.keys():
        if counted[place] != totals.get(place, 0):
            findings.books.append(
                f"{counted[place]} payments of merchant {place[0]} are {place[1]},"
                f" counted {totals.get(place, 0)}"
            )
