"""Any card networks behind a circuit each, so that one that is away harms only itself.

It is a CardNetwork around another.  What it refuses was certainly not sent.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import UUID

from prometheus_client import Counter, Gauge

from contract import relay
from runtime.clock import Clock
from runtime.log import log
from vault.networks.breaker import Breaker, Permit
from vault.networks.network import (
    CardNetwork,
    Charge,
    NetworkFailed,
    NetworkSilent,
    NetworkUnreached,
    Order,
)

# An answer that takes longer than its caller waits is no answer to the breaker either.
IN_TIME_SECONDS: Final = 3.0
INQUIRY_SECONDS: Final = 3.0
# Of a network that has not proved to be back, each may wait in vain, and a worker has 64 hands
# for all networks together.
INQUIRIES_AT_HALF_OPEN: Final = 8
# The others wait for so long: a network that is back answers all 64 hands within it, so that no
# payment waits for its next look.
PLACE_SECONDS: Final = 1.0
# A circuit that has rested and that nobody has put to the proof for this long is no news:
# whether the network is away is not known any more.
TOLD_SECONDS: Final = 60.0

_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}
_STATE = Gauge(
    "paymint_network_breaker_state",
    "Circuit of a card network: 0 closed, 1 half open, 2 open",
    ["network"],
)
_CALLS = Counter(
    "paymint_network_calls", "Calls of the card networks by outcome", ["network", "outcome"]
)
_OUTCOMES: Final = ("answered", "late", "silent", "failed", "unreached", "abandoned", "refused")


class CircuitOpen(NetworkUnreached):
    """The network has not answered others of late: it was not asked."""


class GuardedNetworks:
    """All networks at once; an order names the one it is meant for."""

    def __init__(
        self, network: CardNetwork, clock: Clock, in_time_seconds: float = IN_TIME_SECONDS
    ) -> None:
        self._network = network
        self._clock = clock
        self._in_time_seconds = in_time_seconds
        self._circuits: dict[str, _Circuit] = {}

    async def authorise(self, order: Order, charge: Charge) -> relay.Decision:
        return await self._ask(order, partial(self._network.authorise, order, charge))

    async def capture(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._ask(order, partial(self._network.capture, order, approval))

    async def reverse(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._ask(order, partial(self._network.reverse, order, approval))

    async def refund(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._ask(order, partial(self._network.refund, order, approval))

    async def inquire(self, network: str, attempt_id: UUID) -> relay.Decision | None:
        """Not asked while the circuit rests, and by few at once until it has closed.

        It neither opens nor closes it.
        A network that knows what it decided may still decide nothing new, so its answer
        here is no proof, and an inquiry takes no probe away from those who need one.
        """
        async with self._circuit(network).inquiring():
            try:
                async with asyncio.timeout(INQUIRY_SECONDS):
                    return await self._network.inquire(network, attempt_id)
            except TimeoutError:
                raise NetworkSilent from None

    async def echo(self, network: str) -> None:
        await self._network.echo(network)

    def away(self) -> list[str]:
        """The networks that payments queue for, as far as is known."""
        circuits = self._circuits.items()
        return sorted(network for network, circuit in circuits if circuit.is_away())

    async def _ask(
        self, order: Order, ask: Callable[[], Awaitable[relay.Decision]]
    ) -> relay.Decision:
        circuit = self._circuit(order.network)
        permit = circuit.enter()
        late = asyncio.get_running_loop().call_later(
            self._in_time_seconds, circuit.breaker.failed, permit
        )
        outcome = "abandoned"
        try:
            decision = await ask()
            outcome = "late" if permit.spent else "answered"
            return decision
        except NetworkFailed:
            outcome = "failed"
            raise
        except NetworkSilent:
            outcome = "silent"
            raise
        except NetworkUnreached:
            outcome = "unreached"
            raise
        finally:
            late.cancel()
            circuit.end(permit, outcome)

    def _circuit(self, network: str) -> "_Circuit":
        circuit = self._circuits.get(network)
        if circuit is None:
            circuit = self._circuits[network] = _Circuit(network, self._clock)
        return circuit


class _Circuit:
    """A breaker, and what is told of it."""

    def __init__(self, network: str, clock: Clock) -> None:
        self.breaker = Breaker(clock, self._tell)
        self._network = network
        self._places = asyncio.Semaphore(INQUIRIES_AT_HALF_OPEN)
        self._count = {outcome: _CALLS.labels(network, outcome) for outcome in _OUTCOMES}
        _STATE.labels(network).set_function(lambda: _STATES[self.breaker.state])

    def enter(self) -> Permit:
        permit = self.breaker.enter()
        if permit is None:
            self._count["refused"].inc()
            raise CircuitOpen
        return permit

    @asynccontextmanager
    async def inquiring(self) -> AsyncIterator[None]:
        """Around an inquiry; raises CircuitOpen where it is not to be made."""
        state = self.breaker.state
        if state == "open":
            raise CircuitOpen
        if state == "closed":
            yield
            return
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise CircuitOpen from None
        try:
            yield
        finally:
            self._places.release()

    def end(self, permit: Permit, outcome: str) -> None:
        self._count[outcome].inc()
        if outcome == "answered":
            self.breaker.succeeded(permit)
        elif outcome == "abandoned":
            self.breaker.given_back(permit)
        else:
            self.breaker.failed(permit)

    def is_away(self) -> bool:
        return self.breaker.state != "closed" and self.breaker.unproven_seconds < TOLD_SECONDS

    def _tell(self, closed: bool) -> None:
        log("network_circuit_closed" if closed else "network_circuit_opened", network=self._network)
