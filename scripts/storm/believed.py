"""What was answered, held against what is stored: nothing lost, nothing twice."""

from collections import Counter, defaultdict
from typing import Any, Final

from scripts.storm.diary import OF_HOLDS, RANK, SUCCESSES, Diary, Intention, Told
from scripts.storm.found import Findings, Stored

Row = dict[str, Any]
_ENDED: Final = ("released", "expired")


def compare_beliefs(diary: Diary, kept: Stored, findings: Findings) -> None:
    """Every answer is true and stays true; nothing is there that nobody asked for."""
    payments = {f"pay_{row['id'].hex}": row for row in kept.payments}
    refunds = {f"ref_{row['id'].hex}": row for row in kept.refunds}
    holds = {f"hld_{row['id'].hex}": row for row in kept.holds}
    by_key: defaultdict[str, list[Row]] = defaultdict(list)
    for row in kept.payments:
        by_key[str(row["idempotency_key"])].append(row)
    for intention in diary.intentions:
        _one_answer(intention, findings)
        if intention.kind == "pay":
            _compare_payment(intention, by_key.pop(intention.key, []), findings)
        elif intention.kind == "refund":
            _compare_refund(intention, refunds, findings)
        elif intention.kind in OF_HOLDS:
            _compare_hold(intention, holds, findings)
        else:
            _compare_operation(intention, payments.get(intention.payment), findings)
    for key, rows in by_key.items():
        findings.doubled.append(f"{len(rows)} payments under {key}, which nobody used")
    _compare_refund_counts(diary, kept, findings)
    _compare_hold_counts(diary, kept, findings)


def _one_answer(intention: Intention, findings: Findings) -> None:
    """All answers under one key are about the same thing, and none takes another back."""
    done = [each for each in intention.told if each.status in SUCCESSES]
    if len({each.id for each in done}) > 1:
        findings.doubled.append(f"two things under one key: {intention}")
    refused = [each for each in intention.told if each.status not in SUCCESSES]
    # 202 may end in a refusal; what was said to be done may not.
    if refused and any(each.status != 202 for each in done):
        findings.lost.append(f"done and refused: {intention}")


def _compare_payment(intention: Intention, rows: list[Row], findings: Findings) -> None:
    if len(rows) > 1:
        findings.doubled.append(f"{len(rows)} payments: {intention}")
    row = rows[0] if rows else None
    for told in intention.told:
        if told.status in (*SUCCESSES, 402) and row is None:
            findings.lost.append(f"no payment: {intention}")
            return
        if row is not None:
            _compare_told(intention, told, row, findings)


def _compare_told(intention: Intention, told: Told, row: Row, findings: Findings) -> None:
    if told.id != f"pay_{row['id'].hex}":
        findings.lost.append(f"another payment is stored, {row['id']}: {intention}")
    elif told.status == 402 and row["status"] != "failed":
        findings.lost.append(f"declined, is {row['status']}: {intention}")
    elif told.status in SUCCESSES:
        asked = intention.body or {}
        same = (row["amount"], row["currency"], row["capture"]) == (
            asked["amount"],
            asked["currency"],
            asked["capture"],
        )
        if not same or not _follows(told.state, row["status"]):
            findings.lost.append(f"is {row['status']} of {row['amount']}: {intention}")


def _follows(earlier: str, later: str) -> bool:
    """Whether a payment may have gone from one state to the other."""
    return earlier == later or RANK[later] > RANK[earlier]


def _compare_operation(intention: Intention, row: Row | None, findings: Findings) -> None:
    """A capture or cancellation that was answered 200 is there, with its amount."""
    told = intention.success
    if told is None or told.status != 200:
        return
    if row is None or not _follows(told.state, row["status"]):
        findings.lost.append(f"is {row and row['status']}: {intention}")
    elif intention.kind == "capture" and row["amount_captured"] != told.captured:
        findings.lost.append(f"captured {row['amount_captured']}: {intention}")
    elif intention.kind == "capture" and told.captured != (intention.body or {}).get(
        "amount", told.captured
    ):
        findings.lost.append(f"captured another amount than asked: {intention}")


def _compare_refund(intention: Intention, refunds: dict[str, Row], findings: Findings) -> None:
    told = intention.success
    if told is None:
        return
    row = refunds.get(told.id)
    if row is None:
        findings.lost.append(f"no refund: {intention}")
    elif row["amount"] != told.amount or f"pay_{row['payment_id'].hex}" != intention.payment:
        findings.lost.append(f"the refund is of {row['amount']}: {intention}")


def _compare_refund_counts(diary: Diary, kept: Stored, findings: Findings) -> None:
    """No more refunds than intentions that were answered, or may have been done unanswered."""
    possible = Counter(
        each.payment
        for each in diary.intentions
        if each.kind == "refund" and (each.success is not None or not each.certain)
    )
    refunded = Counter(f"pay_{row['payment_id'].hex}" for row in kept.refunds)
    for payment, count in refunded.items():
        if count > possible[payment]:
            findings.doubled.append(
                f"{count} refunds of {payment}, {possible[payment]} were asked for"
            )


def _compare_hold(intention: Intention, holds: dict[str, Row], findings: Findings) -> None:
    """A hold that was answered is there, in that status or a later one."""
    told = intention.success
    if told is None:
        return
    row = holds.get(told.id)
    if row is None:
        findings.lost.append(f"no hold: {intention}")
    elif not _follows(told.state, row["status"]):
        findings.lost.append(f"the hold is {row['status']}: {intention}")


def _compare_hold_counts(diary: Diary, kept: Stored, findings: Findings) -> None:
    """One hold of a key, no more additions than were asked for."""
    keys = Counter(str(row["idempotency_key"]) for row in kept.holds)
    asked = {each.key for each in diary.intentions if each.kind == "hold"}
    for key, count in keys.items():
        if count > 1 or key not in asked:
            findings.doubled.append(f"{count} holds under {key}")
    additions = [each for each in diary.intentions if each.kind == "top_up"]
    asked_for = Counter(each.payment for each in additions)
    possible = Counter(
        each.payment for each in additions if each.success is not None or not each.certain
    )
    for row in kept.holds:
        # A hold that ended while the network approved an addition refuses it, and gives it back.
        most = asked_for if row["status"] in _ENDED else possible
        if row["top_ups"] > most[f"hld_{row['id'].hex}"]:
            findings.doubled.append(f"{row['top_ups']} additions to hold {row['id']}")
