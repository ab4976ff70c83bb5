"""Card networks inside the vault's own process, for the sandbox and for tests.

They decide by the published numbers, keep books that survive a restart, answer a repeated
attempt with the decision they took, and enforce what a real network enforces: no capture
beyond an approval, no refund beyond a capture.
"""

import asyncio
import random
from collections import OrderedDict
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
    SILENCE,
    approval_of,
    decided_charge,
    decided_follow_up,
    opening_line,
    to_charge_back,
)
from vault.networks.chargebacks import Bank, claim_line, decision_line, evidence_line, told_by
from vault.networks.journal import Journal, Line
from vault.networks.network import Charge, NetworkFailed, NetworkSilent, Order
from vault.settings import Latency

REMEMBERED_ATTEMPTS = 50_000
# A silent network is silent for longer than anybody waits.
SILENCE_SECONDS = 60.0
# It decided, and no answer came that anybody could believe.
_UNBELIEVABLE = frozenset({Fault.RESET, Fault.OTHER_AMOUNT, Fault.MALFORMED})


class SimulatedNetworks:
    """All networks at once; an order names the one it is meant for."""

    def __init__(self, journal: Journal, latency: Latency, clock: Clock) -> None:
        self._journal = journal
        self._latency = latency
        self._clock = clock
        self._attempts: OrderedDict[str, Line] = OrderedDict()
        self._payments: OrderedDict[str, list[Line]] = OrderedDict()
        self._bank = Bank()
        self._flaps = 0
        self._catch_up()

    async def authorise(self, order: Order, charge: Charge) -> relay.Decision:
        known = self._repeated(order)
        if known is None:
            behaviour = self._present(behaviour_of(charge.secret))
            kind = "sale" if charge.sale else "authorise"
            line = opening_line(order, kind, self._clock.unix_ms())
            known = self._record(decided_charge(line, behaviour, charge))
        return await self._answer(known)

    async def capture(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._follow_up(order, "capture")

    async def reverse(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._follow_up(order, "reverse")

    async def refund(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._follow_up(order, "refund")

    async def inquire(self, network: str, attempt_id: UUID) -> relay.Decision | None:
        self._catch_up()
        line = self._attempts.get(attempt_id.hex)
        if line is None:
            line = next(iter(self._journal.about(attempt_id.hex)), None)
        if line is None or line.decision == SILENCE or line.attempt != attempt_id.hex:
            return None
        return self._decision(line)

    async def echo(self, network: str) -> None:
        await self._take_time(0.0)

    def chargebacks(self) -> list[relay.Chargeback]:
        self._catch_up()
        now_ms = self._clock.unix_ms()
        for chargeback_id, capture in self._bank.claims_due(now_ms):
            amount = to_charge_back(self._history(UUID(capture.payment)))
            reason = behaviour_named(capture.behaviour).charged_back_as
            if amount > 0 and reason is not None:
                self._record(claim_line(capture, chargeback_id, (amount, reason), now_ms))
        return self._bank.untold(now_ms)

    def heard(self, chargebacks: list[relay.Chargeback]) -> None:
        self._bank.heard(chargebacks)

    def represent(self, chargeback: relay.Chargeback, evidence: relay.Represent) -> None:
        self._record_once(evidence_line(chargeback, evidence.text, self._clock.unix_ms()))

    def charge_back(self, asked: relay.OpenChargeback) -> relay.Chargeback | None:
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
        self._record_once(decision_line(chargeback, won, self._clock.unix_ms()))

    async def _follow_up(self, order: Order, kind: str) -> relay.Decision:
        known = self._repeated(order)
        if known is None:
            history = self._history(order.payment_id)
            line = opening_line(order, kind, self._clock.unix_ms())
            known = self._record(decided_follow_up(line, history))
        return await self._answer(known)

    def _present(self, behaviour: Behaviour) -> Behaviour:
        """What a behaviour that changes from call to call is this time."""
        if behaviour.fault is not Fault.FLAPS:
            return behaviour
        self._flaps += 1
        return FAILS if self._flaps % 2 else SUCCEEDS

    async def _answer(self, line: Line) -> relay.Decision:
        behaviour = behaviour_named(line.behaviour)
        if behaviour.fault in (Fault.SILENT_BEFORE, Fault.SILENT_AFTER):
            await asyncio.sleep(SILENCE_SECONDS)
            raise NetworkSilent
        await self._take_time(behaviour.answers_after_seconds)
        if behaviour.fault is Fault.SYSTEM_ERROR:
            raise NetworkFailed
        if behaviour.fault in _UNBELIEVABLE:
            raise NetworkSilent
        # Where there is no wire, an answer that comes twice is heard once.
        return self._decision(line)

    async def _take_time(self, more_seconds: float) -> None:
        seconds = random.uniform(self._latency.from_ms, self._latency.to_ms) / 1000  # nosec B311  # no secret
        if seconds + more_seconds:
            await asyncio.sleep(seconds + more_seconds)

    def _decision(self, line: Line) -> relay.Decision:
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
        )

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
            self._remember(line)

    def _remember(self, line: Line) -> None:
        if line.attempt in self._attempts:
            return
        self._attempts[line.attempt] = line
        self._bank.remember(line)
        history = self._payments.get(line.payment)
        if history is not None:
            history.append(line)
        elif line.kind in ("authorise", "sale"):
            self._payments[line.payment] = [line]
        if len(self._attempts) > REMEMBERED_ATTEMPTS:
            _, oldest = self._attempts.popitem(last=False)
            self._payments.pop(oldest.payment, None)
