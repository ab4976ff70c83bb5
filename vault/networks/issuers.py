"""Who decides behind the simulated networks, and keeps the books: for every way to reach them.

They decide by the published numbers, remember across restarts, answer a repeated attempt
with the decision they took, and enforce what a real network enforces: no capture beyond an
approval, no refund beyond a capture.  Nothing waits here: how long an answer takes, and
whether it arrives, is the matter of whoever carries it.
"""

from collections import OrderedDict
from typing import Literal
from uuid import UUID

from contract import relay
from runtime.clock import Clock
from vault.networks.behaviours import (
    FAILS,
    REFUND_SETTLES_AFTER_MS,
    SUCCEEDS,
    Behaviour,
    Fault,
    behaviour_named,
    behaviour_of,
)
from vault.networks.books import (
    CHARGEBACK,
    DRAW,
    SILENCE,
    approval_of,
    decided_charge,
    decided_follow_up,
    is_addition,
    opening_line,
    to_charge_back,
)
from vault.networks.chargebacks import Bank, claim_line, decision_line, evidence_line, told_by
from vault.networks.journal import Journal, Line
from vault.networks.network import Charge, Order

REMEMBERED_ATTEMPTS = 50_000

FollowUp = Literal["capture", "draw", "reverse", "refund"]


class Issuers:
    """The banks behind the networks named in `networks`; they leave other lines alone."""

    def __init__(self, journal: Journal, networks: frozenset[str], clock: Clock) -> None:
        self._journal = journal
        self._networks = networks
        self._clock = clock
        self._attempts: OrderedDict[str, Line] = OrderedDict()
        self._payments: OrderedDict[str, list[Line]] = OrderedDict()
        self._bank = Bank()
        self._flaps = 0
        self._catch_up()

    def charge(self, order: Order, charge: Charge, trace: str | None = None) -> Line:
        """Decide an authorisation or a sale; `trace` names the message that asks for it."""
        known = self._repeated(order)
        if known is not None:
            return known
        behaviour = self._present(behaviour_of(charge.secret))
        kind = "sale" if charge.sale else "authorise"
        line = opening_line(order, kind, self._clock.unix_ms(), trace)
        return self._record(decided_charge(line, behaviour, charge))

    def follow_up(
        self, order: Order, kind: FollowUp, trace: str | None = None, of: str | None = None
    ) -> Line:
        """Decide what follows an approval of the same payment or hold; `trace` as above.

        `of` is the attempt that was approved; none: the payment's last.
        """
        known = self._repeated(order)
        if known is not None:
            return known
        history = self._history(order.hold_id or order.payment_id)
        for line in history:
            # Older than what is remembered: a reversal may be repeated for days.
            if line.attempt == order.attempt_id.hex:
                return line
        approval = approval_of(history, of)
        if approval is not None and approval.hold is not None and is_addition(approval):
            history = self._history(UUID(approval.hold))
        line = opening_line(order, kind, self._clock.unix_ms(), trace)
        return self._record(decided_follow_up(line, history, of))

    def approval(self, payment_id: UUID, trace: str | None = None) -> Line | None:
        """The approval of a payment that stands on the books, the last or that of a message.

        Raises LookupError where there are approvals, and none was asked for by it.
        """
        self._catch_up()
        history = self._history(payment_id)
        last = approval_of(history)
        if trace is None:
            return last
        for line in history:
            named = approval_of(history, line.attempt) if line.trace == trace else None
            if named is not None:
                return named
        if last is not None:
            raise LookupError(f"another message asked for {payment_id}")
        return None

    def inquire(self, attempt_id: UUID) -> Line | None:
        """What was decided about an attempt; None when nothing was."""
        self._catch_up()
        line = self._attempts.get(attempt_id.hex)
        if line is None:
            line = next(iter(self._journal.about(attempt_id.hex)), None)
        if line is None or line.decision == SILENCE or line.attempt != attempt_id.hex:
            return None
        return line

    def decision(self, line: Line) -> relay.Decision:
        """A line that decides something, as it stands by now: pending refunds settle."""
        assert line.decision != SILENCE
        outcome, code = line.decision, line.code
        settles_at = line.at + REFUND_SETTLES_AFTER_MS
        if outcome == "pending" and self._clock.unix_ms() >= settles_at:
            outcome = behaviour_named(line.behaviour).refund_settles_as or "approved"
            code = "refund_failed" if outcome == "declined" else None
        return relay.Decision(
            outcome=outcome,
            network=line.network,
            network_reference=line.reference,
            code=code,
            decline_code=line.decline_code,
            cvc_check=line.cvc_check,
            trace=line.trace,
        )

    def chargebacks(self) -> list[relay.Chargeback]:
        """What was opened or decided and was not heard yet; claims what is due."""
        self._catch_up()
        now_ms = self._clock.unix_ms()
        for chargeback_id, capture in self._bank.claims_due(now_ms):
            amount = to_charge_back(self._history(UUID(capture.payment)))
            reason = behaviour_named(capture.behaviour).charged_back_as
            if amount > 0 and reason is not None:
                self._record(claim_line(capture, chargeback_id, (amount, reason), now_ms))
        return self._bank.untold(now_ms)

    def heard(self, chargebacks: list[relay.Chargeback]) -> None:
        """These need not be told again."""
        self._bank.heard(chargebacks)

    def network_of(self, chargeback: relay.Chargeback) -> str:
        """The network that a chargeback of ours came over."""
        return self._opening(chargeback).network

    def represent(self, chargeback: relay.Chargeback, evidence: relay.Represent) -> None:
        """Take evidence; repeated, it changes nothing."""
        opening = self._opening(chargeback)
        self._record_once(evidence_line(opening, evidence.text, self._clock.unix_ms()))

    def charge_back(self, asked: relay.OpenChargeback) -> relay.Chargeback | None:
        """Open a chargeback now; None when nothing is left to claim."""
        self._catch_up()
        known = self._attempts.get(asked.chargeback_id.hex)
        if known is None:
            history = self._history(asked.payment_id)
            approval = approval_of(history)
            amount = min(asked.amount, to_charge_back(history))
            if approval is None or approval.merchant != asked.merchant_id.hex or amount <= 0:
                return None
            now_ms = self._clock.unix_ms()
            claim = (amount, asked.reason)
            known = self._record(claim_line(approval, asked.chargeback_id, claim, now_ms))
        return told_by(known)

    def rule(self, chargeback: relay.Chargeback, won: bool) -> None:
        """Decide a chargeback now; the first decision stands."""
        self._record_once(decision_line(self._opening(chargeback), won, self._clock.unix_ms()))

    def _present(self, behaviour: Behaviour) -> Behaviour:
        """What a behaviour that changes from call to call is this time."""
        if behaviour.fault is not Fault.FLAPS:
            return behaviour
        self._flaps += 1
        return FAILS if self._flaps % 2 else SUCCEEDS

    def _opening(self, chargeback: relay.Chargeback) -> Line:
        known = self._attempts.get(chargeback.id.hex)
        if known is not None:
            return known
        for line in self._journal.about(chargeback.id.hex):
            if line.kind == CHARGEBACK:
                return line
        raise LookupError(f"no chargeback {chargeback.id}")

    def _repeated(self, order: Order) -> Line | None:
        self._catch_up()
        return self._attempts.get(order.attempt_id.hex)

    def _history(self, payment_id: UUID) -> list[Line]:
        known = self._payments.get(payment_id.hex)
        return self._journal.about(payment_id.hex) if known is None else known

    def _record(self, line: Line) -> Line:
        self._journal.append(line)
        self._remember(line)
        return line

    def _record_once(self, line: Line) -> None:
        self._catch_up()
        if line.attempt not in self._attempts:
            self._record(line)

    def _catch_up(self) -> None:
        for line in self._journal.news():
            if line.network in self._networks:
                self._remember(line)

    def _remember(self, line: Line) -> None:
        if line.attempt in self._attempts:
            return
        self._attempts[line.attempt] = line
        self._bank.remember(line)
        history = self._payments.get(line.payment)
        if history is not None:
            history.append(line)
        elif line.kind in ("sale", DRAW) or (line.kind == "authorise" and line.hold is None):
            self._payments[line.payment] = [line]
        of_hold = self._payments.get(line.hold or "")
        if of_hold is not None:
            of_hold.append(line)
        if len(self._attempts) > REMEMBERED_ATTEMPTS:
            _, oldest = self._attempts.popitem(last=False)
            self._payments.pop(oldest.payment, None)
