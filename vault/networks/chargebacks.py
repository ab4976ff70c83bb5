"""The payers' banks behind the simulated networks: they claim money back, and decide.

Everything follows from the lines of the journal, so that a killed process forgets nothing:
a captured payment of a dispute card is claimed after a while, evidence is decided after a
while, and what was decided is told until it was heard.
"""

from typing import Final, Literal, NamedTuple
from uuid import UUID, uuid5

import msgspec

from contract import relay
from vault.networks.behaviours import behaviour_named
from vault.networks.books import CHARGEBACK
from vault.networks.journal import Line

CLAIMED_AFTER_MS: Final = 2000
DECIDED_AFTER_MS: Final = 2000
WINNING: Final = "winning_evidence"
LOSING: Final = "losing_evidence"

_REPRESENTMENT: Final = "representment"
_RULING: Final = "ruling"
_REFERENCE: Final = "cbk_"
_STATES: Final[dict[str, relay.ChargebackState]] = {"approved": "won", "declined": "lost"}

_Told = tuple[UUID, relay.ChargebackState]


class _News(NamedTuple):
    chargeback: relay.Chargeback
    from_ms: int


class Bank:
    """What is still to be claimed, and what is still to be told."""

    def __init__(self) -> None:
        self._to_claim: dict[UUID, Line] = {}
        self._untold: dict[_Told, _News] = {}

    def remember(self, line: Line) -> None:
        """Take in a line of the journal, each once."""
        if line.kind in ("sale", "capture", "draw") and line.decision == "approved":
            if behaviour_named(line.behaviour).charged_back_as:
                self._to_claim[uuid5(UUID(line.attempt), CHARGEBACK)] = line
        elif line.kind == CHARGEBACK:
            self._to_claim.pop(UUID(line.attempt), None)
            self._tell(told_by(line), line.at)
        elif line.kind in (_REPRESENTMENT, _RULING) and line.decision in _STATES:
            wait_ms = DECIDED_AFTER_MS if line.kind == _REPRESENTMENT else 0
            self._tell(told_by(line), line.at + wait_ms)

    def claims_due(self, now_ms: int) -> list[tuple[UUID, Line]]:
        """Captures that are claimed now, by the id of their chargeback; each given once."""
        due = [
            (chargeback_id, line)
            for chargeback_id, line in self._to_claim.items()
            if line.at + CLAIMED_AFTER_MS <= now_ms
        ]
        for chargeback_id, _ in due:
            del self._to_claim[chargeback_id]
        return due

    def untold(self, now_ms: int) -> list[relay.Chargeback]:
        """What there is to tell by now."""
        return [news.chargeback for news in self._untold.values() if news.from_ms <= now_ms]

    def heard(self, chargebacks: list[relay.Chargeback]) -> None:
        """These need not be told again."""
        for chargeback in chargebacks:
            self._untold.pop((chargeback.id, chargeback.state), None)

    def _tell(self, chargeback: relay.Chargeback, from_ms: int) -> None:
        self._untold[chargeback.id, chargeback.state] = _News(chargeback, from_ms)


def claim_line(
    of: Line, chargeback_id: UUID, claim: tuple[int, relay.ChargebackReason], now_ms: int
) -> Line:
    """A chargeback of the payment that `of` approved or captured: (amount, reason)."""
    amount, reason = claim
    return Line(
        at=now_ms,
        kind=CHARGEBACK,
        attempt=chargeback_id.hex,
        payment=of.payment,
        merchant=of.merchant,
        livemode=of.livemode,
        network=of.network,
        amount=amount,
        currency=of.currency,
        decision="approved",
        reference=_REFERENCE + chargeback_id.hex,
        code=reason,
    )


def evidence_line(opening: Line, text: str, now_ms: int) -> Line:
    """Evidence against the chargeback of a line, decided by its text.

    Any other text stays with the bank.
    """
    decision: Literal["approved", "declined", "pending"] = "pending"
    if WINNING in text:
        decision = "approved"
    elif LOSING in text:
        decision = "declined"
    return _about(opening, _REPRESENTMENT, decision, now_ms)


def decision_line(opening: Line, won: bool, now_ms: int) -> Line:
    """The bank's word, whatever the evidence."""
    return _about(opening, _RULING, "approved" if won else "declined", now_ms)


def told_by(line: Line) -> relay.Chargeback:
    """The chargeback as a line about it leaves it."""
    assert line.reference is not None
    opened = line.kind == CHARGEBACK
    return relay.Chargeback(
        id=UUID(line.reference.removeprefix(_REFERENCE)),
        merchant_id=UUID(line.merchant),
        livemode=line.livemode,
        payment_id=UUID(line.payment),
        amount=line.amount,
        currency=line.currency,
        reason=msgspec.convert(line.code, relay.ChargebackReason),
        state="open" if opened else _STATES[line.decision],
        opened_at_ms=line.at,
    )


def _about(
    opening: Line,
    kind: str,
    decision: Literal["approved", "declined", "pending"],
    now_ms: int,
) -> Line:
    return msgspec.structs.replace(
        opening,
        at=now_ms,
        kind=kind,
        attempt=uuid5(UUID(opening.attempt), kind).hex,
        decision=decision,
    )
