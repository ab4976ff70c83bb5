"""The vault's operations inside the test, before a network whose answers may be lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from adapters.keys import file_provider
from contract import relay
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.ids import uuid7
from tests.vault.house import House
from tests.vault.merchant import VISA, card
from tests.vault.test_breaker import HandClock
from vault.keyring import Keyring
from vault.networks.behaviours import ALL_NETWORKS
from vault.networks.guard import GuardedNetworks
from vault.networks.issuers import Issuers
from vault.networks.journal import Journal, Line
from vault.networks.network import Charge, NetworkSilent, Order
from vault.networks.outages import Outages
from vault.networks.simulator import SimulatedNetworks
from vault.operations.charging import Charging, Verdict
from vault.operations.resolving import Resolving
from vault.operations.security_codes import SecurityCodes
from vault.operations.tokenising import Tokenising
from vault.operations.velocity import Velocity
from vault.settings import Latency
from vault.store.attempts import AttemptStore, Chargeable
from vault.store.instruments import InstrumentStore
from vault.store.keys import DataKeyStore, PublishableKey
from vault.store.tokens import TokenStore

CVC = "123"
NO_LATENCY = Latency(0, 0)


@dataclass
class LosingNetwork:
    """The simulated networks; a call may be lost on its way there, or its answer on its way
    back, by the name of the operation."""

    real: SimulatedNetworks
    calls_lost: set[str] = field(default_factory=set)
    answers_lost: set[str] = field(default_factory=set)
    # What it says of the same is that it is still at it.
    in_progress: set[str] = field(default_factory=set)
    # What happens, once, before the network is reached.
    before: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)

    async def authorise(self, order: Order, charge: Charge) -> relay.Decision:
        return await self._lose("authorise", self.real.authorise(order, charge))

    async def capture(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._lose("capture", self.real.capture(order, approval))

    async def reverse(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._lose("reverse", self.real.reverse(order, approval))

    async def refund(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._lose("refund", self.real.refund(order, approval))

    async def inquire(self, network: str, attempt_id: UUID) -> relay.Decision | None:
        if "inquire" in self.calls_lost:
            raise NetworkSilent
        decision = await self.real.inquire(network, attempt_id)
        return _begun(decision) if decision is not None and self.in_progress else decision

    async def echo(self, network: str) -> None:
        await self.real.echo(network)

    async def _lose(self, name: str, call: Awaitable[relay.Decision]) -> relay.Decision:
        if name in self.before:
            await self.before.pop(name)()
        if name in self.calls_lost:
            _never_made(call)
            raise NetworkSilent
        decision = await call
        if name in self.answers_lost:
            raise NetworkSilent
        return _begun(decision) if name in self.in_progress else decision


def _begun(decision: relay.Decision) -> relay.Decision:
    return msgspec.structs.replace(decision, outcome="pending")


def _never_made(call: Any) -> None:
    call.close()


@dataclass
class Till:
    """One merchant's calls, made straight to the operations; each till is a process of its own."""

    network: LosingNetwork
    breakers_clock: HandClock
    attempts: AttemptStore
    charging: Charging
    resolving: Resolving
    tokenising: Tokenising
    journal: Journal
    merchant_id: UUID

    @property
    def scope(self) -> dict[str, Any]:
        return {"request_id": "req_test", "merchant_id": self.merchant_id, "livemode": False}

    async def charge(self, request: Chargeable) -> Verdict:
        return await self.charging.charge(request, SystemClock().unix_ms() + 3000)

    async def resolve(self, attempt_id: UUID, *, give_up: bool = False) -> relay.Resolution:
        request = relay.Resolve(**self.scope, attempt_id=attempt_id, give_up=give_up)
        answer = await self.resolving.resolve(request)
        assert isinstance(answer, relay.Resolution)
        return answer

    async def authorisation(self, *, sale: bool = False, number: str = VISA) -> relay.Authorise:
        """A request to authorise a fresh card with its code."""
        key = PublishableKey(self.merchant_id, False, False)
        token, _ = await self.tokenising.make(key, card(number, CVC), None)
        return relay.Authorise(
            **self.scope,
            attempt_id=uuid7(),
            payment_id=uuid7(),
            instrument_id=token.id,
            amount=1000,
            currency="usd",
            capture=sale,
        )

    def lines(self, payment_id: UUID) -> list[Line]:
        """What the network has decided about a payment, whoever asked."""
        return self.journal.about(payment_id.hex)


def _simulated(house: House, journal: Journal, clock: SystemClock) -> SimulatedNetworks:
    issuers = Issuers(journal, ALL_NETWORKS, clock)
    return SimulatedNetworks(issuers, NO_LATENCY, Outages(house.directory / "simulator"))


@asynccontextmanager
async def open_till(house: House, merchant_id: UUID | None = None) -> AsyncIterator[Till]:
    """A vault without its doors, on the database and the network's books of a house."""
    clock, breakers_clock = SystemClock(), HandClock()
    database = Database(house.database_url)
    await database.open()
    keyring = Keyring(DataKeyStore(database), file_provider(house.directory / "keys"), clock)
    codes, tokens = SecurityCodes(clock), TokenStore(house.database_url)
    attempts = AttemptStore(database, house.database_url)
    journal = Journal(house.directory / "simulator" / "journal.jsonl")
    network = LosingNetwork(_simulated(house, journal, clock))
    guarded = GuardedNetworks(network, breakers_clock)
    charging = Charging(attempts, keyring, codes, guarded, Velocity(clock), clock)
    try:
        yield Till(
            network,
            breakers_clock,
            attempts,
            charging,
            Resolving(attempts, charging, guarded),
            Tokenising(tokens, InstrumentStore(database), keyring, codes, clock),
            journal,
            merchant_id or uuid7(),
        )
    finally:
        await attempts.close()
        await tokens.close()
        journal.close()
        await database.close()
