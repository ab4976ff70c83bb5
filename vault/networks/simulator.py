"""Card networks inside the vault's own process, for the sandbox and for tests."""

import asyncio
import random
from uuid import UUID

from contract import relay
from vault.networks.behaviours import Fault, behaviour_named
from vault.networks.books import attempt_in
from vault.networks.issuers import FollowUp, Issuers
from vault.networks.journal import Line
from vault.networks.network import (
    Charge,
    NetworkFailed,
    NetworkSilent,
    NetworkUnreached,
    Order,
)
from vault.networks.outages import Outages
from vault.settings import Latency

# A silent network is silent for longer than anybody waits.
SILENCE_SECONDS = 60.0
# It decided, and no answer came that anybody could believe.
_UNBELIEVABLE = frozenset({Fault.RESET, Fault.OTHER_AMOUNT, Fault.MALFORMED})


class SimulatedNetworks:
    """All networks at once; an order names the one it is meant for."""

    def __init__(self, issuers: Issuers, latency: Latency, outages: Outages) -> None:
        self._issuers = issuers
        self._latency = latency
        self._outages = outages

    async def authorise(self, order: Order, charge: Charge) -> relay.Decision:
        fault = await self._reached(order.network)
        line = self._issuers.charge(order, charge)
        return await self._answer(line, fault)

    async def capture(self, order: Order, approval: relay.Decision) -> relay.Decision:
        kind: FollowUp = "capture" if order.hold_id is None else "draw"
        return await self._follow_up(order, kind, approval)

    async def reverse(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._follow_up(order, "reverse", approval)

    async def refund(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._follow_up(order, "refund", approval)

    async def inquire(self, network: str, attempt_id: UUID) -> relay.Decision | None:
        await self._reached(network)
        await self._take_time(network, 0.0)
        line = self._issuers.inquire(attempt_id)
        return None if line is None else self._issuers.decision(line)

    async def echo(self, network: str) -> None:
        await self._reached(network)
        await self._take_time(network, 0.0)

    def chargebacks(self) -> list[relay.Chargeback]:
        return self._issuers.chargebacks()

    def heard(self, chargebacks: list[relay.Chargeback]) -> None:
        self._issuers.heard(chargebacks)

    async def represent(
        self, network: str, chargeback: relay.Chargeback, evidence: relay.Represent
    ) -> None:
        self._issuers.represent(chargeback, evidence)

    async def charge_back(
        self, network: str, asked: relay.OpenChargeback
    ) -> relay.Chargeback | None:
        return self._issuers.charge_back(asked)

    async def rule(self, network: str, chargeback: relay.Chargeback, won: bool) -> None:
        self._issuers.rule(chargeback, won)

    async def _follow_up(
        self, order: Order, kind: FollowUp, approval: relay.Decision
    ) -> relay.Decision:
        fault = await self._reached(order.network)
        of = attempt_in(approval.network_reference)
        return await self._answer(self._issuers.follow_up(order, kind, of=of), fault)

    async def _reached(self, network: str) -> Fault | None:
        """Get as far as a network that misbehaves lets us; what is still to go wrong after."""
        if self._outages.refuses(network):
            raise NetworkUnreached
        fault = self._outages.fault(network)
        if fault is Fault.SILENT_BEFORE:
            await asyncio.sleep(SILENCE_SECONDS)
            raise NetworkSilent
        if fault is Fault.SYSTEM_ERROR:
            await self._take_time(network, 0.0)
            raise NetworkFailed
        return fault

    async def _answer(self, line: Line, outage: Fault | None) -> relay.Decision:
        behaviour = behaviour_named(line.behaviour)
        fault = outage or behaviour.fault
        if fault in (Fault.SILENT_BEFORE, Fault.SILENT_AFTER):
            await asyncio.sleep(SILENCE_SECONDS)
            raise NetworkSilent
        await self._take_time(line.network, behaviour.answers_after_seconds)
        if fault is Fault.SYSTEM_ERROR:
            raise NetworkFailed
        if fault in _UNBELIEVABLE:
            raise NetworkSilent
        # Where there is no wire, an answer that comes twice is heard once.
        return self._issuers.decision(line)

    async def _take_time(self, network: str, more_seconds: float) -> None:
        seconds = random.uniform(self._latency.from_ms, self._latency.to_ms) / 1000  # nosec B311  # no secret
        seconds += more_seconds + self._outages.delay_seconds(network)
        if seconds:
            await asyncio.sleep(seconds)
