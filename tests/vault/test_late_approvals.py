"""What a network approves after its attempt was given up is given back, and nothing else is."""

import copy
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
import uvloop

from adapters.vault_door import Unknown
from contract import relay
from runtime.ids import uuid7
from runtime.masked import Masked
from scripts.bookkeeping.networks import stories
from tests.cluster import Cluster, free_port
from tests.serving import eventually
from tests.vault.house import House, house
from tests.vault.merchant import VISA, merchant
from tests.vault.networks import Hosts, hosts, journal_of
from tests.vault.test_lost_answers import age, another_attempt, is_lost
from tests.vault.till import LosingNetwork, Till, open_till
from vault.instruments import Card
from vault.networks.network import Charge, Order
from vault.networks.reached import DIRECTORY, JOURNAL
from vault.operations.late_approvals import LateApprovals, reversal_of
from vault.settings import Address

GIVEN_BACK_SECONDS = 20.0
APPROVED = "approved"


def played(house: House, scenario: Callable[[Till], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_till(house) as till:
            await scenario(till)

    uvloop.run(run())


def is_due(house: House, attempt_id: UUID) -> bool:
    """Have an attempt looked at now, if it is to be looked at at all."""
    with psycopg.connect(house.database_url) as connection:
        return bool(
            connection.execute(
                "UPDATE attempts SET look_again_at = now()"
                " WHERE id = %s AND look_again_at IS NOT NULL",
                (attempt_id,),
            ).rowcount
        )


async def given_up(till: Till, house: House, request: relay.Authorise) -> None:
    """The call does not arrive, and nobody waits for it any longer."""
    till.network.calls_lost = {"authorise"}
    await is_lost(till, request)
    till.network.calls_lost = set()
    age(house, request.attempt_id)
    assert (await till.resolve(request.attempt_id)).state == "never_begun"


async def arrives(till: Till, request: relay.Authorise, network: str = "visa") -> Order:
    """The call that was given up reaches the network after all."""
    order = Order(
        attempt_id=request.attempt_id,
        merchant_id=request.merchant_id,
        payment_id=request.payment_id,
        livemode=False,
        network=network,
        amount=request.amount,
        currency=request.currency,
        hold_id=request.hold_id,
    )
    card = Card(Masked(VISA), 12, 2040, "visa")
    decision = await till.network.real.authorise(order, Charge(card, None, request.capture))
    assert decision.outcome == APPROVED
    return order


async def looked_at(till: Till, house: House, attempt_id: UUID) -> None:
    assert is_due(house, attempt_id)
    assert await LateApprovals(till.attempts.late, till.network).turn() == 1


def told(till: Till, payment_id: UUID) -> list[tuple[str, str, int, str | None]]:
    return [(line.kind, line.decision, line.amount, line.of) for line in till.lines(payment_id)]


@pytest.mark.parametrize("sale", [False, True])
def test_a_late_approval_is_given_back_and_the_payment_goes_on(sale: bool, quiet: House) -> None:
    async def scenario(till: Till) -> None:
        late = await till.authorisation(sale=sale)
        await given_up(till, quiet, late)
        # Nobody knows of it yet: it is looked at and left for the next look.
        await looked_at(till, quiet, late.attempt_id)
        second = another_attempt(late)
        assert isinstance(await till.charge(second), relay.Decision)
        await arrives(till, late)
        till.network.answers_lost = {"reverse"}
        for _ in range(2):
            await looked_at(till, quiet, late.attempt_id)
        till.network.answers_lost = set()
        await looked_at(till, quiet, late.attempt_id)
        assert not is_due(quiet, late.attempt_id)
        kind = "sale" if sale else "authorise"
        assert told(till, late.payment_id) == [
            (kind, APPROVED, 1000, None),
            (kind, APPROVED, 1000, None),
            ("reverse", APPROVED, 1000, late.attempt_id.hex),
        ]
        story = stories(quiet.directory / DIRECTORY / JOURNAL)[late.payment_id.hex]
        assert story.approvals - story.reversals == 1
        assert story.captured == (1000 if sale else 0)
        # What stands is captured, and paid back, as ever.
        scope: dict[str, Any] = {**till.scope, "payment_id": late.payment_id}
        money: dict[str, Any] = {"amount": 1000, "currency": "usd"}
        if not sale:
            captured = await till.charge(relay.Capture(**scope, **money, attempt_id=uuid7()))
            assert isinstance(captured, relay.Decision) and captured.outcome == APPROVED
        for outcome in (APPROVED, "declined"):
            refund = relay.Refund(**scope, **money, attempt_id=uuid7(), refund_id=uuid7())
            back = await till.charge(refund)
            assert isinstance(back, relay.Decision) and back.outcome == outcome

    played(quiet, scenario)


@pytest.mark.parametrize("approved", [True, False])
def test_what_a_silent_network_left_undecided_can_be_given_up(approved: bool, quiet: House) -> None:
    async def scenario(till: Till) -> None:
        asked = await till.authorisation()
        lost = till.network.answers_lost if approved else till.network.calls_lost
        lost.add("authorise")
        await is_lost(till, asked)
        till.network.calls_lost.add("inquire")
        # Somebody may still be at it.
        assert (await till.resolve(asked.attempt_id, give_up=True)).state == "undecided"
        age(quiet, asked.attempt_id)
        assert (await till.resolve(asked.attempt_id)).state == "undecided"
        assert (await till.resolve(asked.attempt_id, give_up=True)).state == "never_begun"
        assert (await till.resolve(asked.attempt_id)).state == "never_begun"
        await looked_at(till, quiet, asked.attempt_id)
        till.network.calls_lost.clear()
        await looked_at(till, quiet, asked.attempt_id)
        back = ("reverse", APPROVED, 1000, asked.attempt_id.hex)
        assert told(till, asked.payment_id)[1:] == ([back] if approved else [])
        # The network may yet hear of what it does not know.
        assert is_due(quiet, asked.attempt_id) is not approved

    played(quiet, scenario)


def test_what_is_added_late_to_a_hold_is_given_back_out_of_it(quiet: House) -> None:
    async def scenario(till: Till) -> None:
        hold = await till.authorisation()
        assert isinstance(await till.charge(hold), relay.Decision)
        late = msgspec.structs.replace(
            another_attempt(hold), payment_id=uuid7(), hold_id=hold.payment_id, amount=500
        )
        other_card = (await till.authorisation()).instrument_id
        late = msgspec.structs.replace(late, instrument_id=other_card)
        await given_up(till, quiet, late)
        await arrives(till, late)
        await looked_at(till, quiet, late.attempt_id)
        assert not is_due(quiet, late.attempt_id)
        reversed_ = ("reverse", APPROVED, 500, late.attempt_id.hex)
        assert told(till, late.payment_id)[-1] == reversed_
        story = stories(quiet.directory / DIRECTORY / JOURNAL)[hold.payment_id.hex]
        assert (story.approvals, story.reversals, story.authorised, story.added) == (1, 0, 1000, 0)
        scope: dict[str, Any] = {**till.scope, "currency": "usd", "hold_id": hold.payment_id}
        drawn = []
        for amount in (1001, 400):
            draw = relay.Capture(**scope, attempt_id=uuid7(), payment_id=uuid7(), amount=amount)
            answer = await till.charge(draw)
            assert isinstance(answer, relay.Decision)
            drawn.append(answer.outcome)
        assert drawn == ["declined", APPROVED]
        released = await till.charge(
            relay.Reverse(**till.scope, attempt_id=uuid7(), payment_id=hold.payment_id)
        )
        assert isinstance(released, relay.Decision) and released.outcome == APPROVED
        assert ("reverse", APPROVED, 600, hold.attempt_id.hex) in told(till, hold.payment_id)

    played(quiet, scenario)


def test_what_is_decided_after_its_fence_is_looked_at_at_once(quiet: House) -> None:
    """A vault that was stopped between its last look at the clock and the network."""

    async def scenario(till: Till) -> None:
        request = await till.authorisation()
        async with open_till(quiet, till.merchant_id) as other:

            async def fenced() -> None:
                age(quiet, request.attempt_id)
                assert (await other.resolve(request.attempt_id)).state == "never_begun"

            till.network.before["authorise"] = fenced
            await is_lost(till, request)
            assert await LateApprovals(other.attempts.late, other.network).turn() == 1
        assert told(till, request.payment_id)[-1][0] == "reverse"

    played(quiet, scenario)


class AtItsReversals(LosingNetwork):
    """It says what it approved, and of a reversal that it is still at it."""

    async def inquire(self, network: str, attempt_id: UUID) -> relay.Decision | None:
        return await self.real.inquire(network, attempt_id)


def test_a_reversal_in_progress_is_asked_for_again(quiet: House) -> None:
    async def scenario(till: Till) -> None:
        late = await till.authorisation()
        await given_up(till, quiet, late)
        await arrives(till, late)
        at_it = AtItsReversals(till.network.real, in_progress={"reverse"})
        assert is_due(quiet, late.attempt_id)
        assert await LateApprovals(till.attempts.late, at_it).turn() == 1
        await looked_at(till, quiet, late.attempt_id)
        assert not is_due(quiet, late.attempt_id)

    played(quiet, scenario)


def test_after_a_day_only_what_the_network_does_not_know_is_left_alone(quiet: House) -> None:
    async def scenario(till: Till) -> None:
        unknown, known = await till.authorisation(), await till.authorisation()
        for each in (unknown, known):
            await given_up(till, quiet, each)
            age(quiet, each.attempt_id, "25 hours")
        await looked_at(till, quiet, unknown.attempt_id)
        assert not is_due(quiet, unknown.attempt_id)
        await arrives(till, known)
        till.network.answers_lost = {"reverse"}
        await looked_at(till, quiet, known.attempt_id)
        till.network.answers_lost = set()
        await looked_at(till, quiet, known.attempt_id)
        assert not is_due(quiet, known.attempt_id)
        assert told(till, known.payment_id)[-1][0] == "reverse"

    played(quiet, scenario)


def test_what_was_never_sent_is_not_looked_at(quiet: House) -> None:
    async def scenario(till: Till) -> None:
        never = uuid7()
        assert (await till.resolve(never)).state == "never_begun"
        assert not is_due(quiet, never)

    played(quiet, scenario)


class Line:
    """A connection's way through the world: what goes to the network may be held up on it."""

    def __init__(self, to: Address) -> None:
        self._to = to
        self.flows = threading.Event()
        self.flows.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = Address(to.network, *self._listening.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.flows.set()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection((self._to.host, self._to.port))
            except OSError:
                return
            for source, target, held_up in ((near, far, True), (far, near, False)):
                threading.Thread(
                    target=self._carry, args=(source, target, held_up), daemon=True
                ).start()

    def _carry(self, source: socket.socket, target: socket.socket, held_up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if held_up:
                    self.flows.wait()
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def line(built: Hosts, network: str) -> Iterator[Line]:
    [to] = [each for each in built.addresses if each.network == network]
    opened = Line(to)
    try:
        yield opened
    finally:
        opened.close()


def beside(first: House, addresses: str) -> House:
    """Another vault on the same database, that reaches the networks its own way."""
    second = copy.copy(first)
    second.addresses = addresses
    second.relay_port, second.token_port = free_port(), free_port()
    return second


def test_a_call_that_was_held_up_on_its_way_is_given_back(tmp_path: Path, cluster: Cluster) -> None:
    """Two vaults: the one asks over a line that stalls, the other is told that the network knows
    of nothing, and asks for the payment again.  Then the first call arrives."""
    with hosts(tmp_path) as built, line(built, "visa") as stalling:
        network, host, port = stalling.address
        with house(tmp_path, cluster, addresses=f"{network}={host}:{port}") as first:
            second = beside(first, built.addresses_text)
            first.start()
            second.start()
            late = uvloop.run(_asked_twice(first, second, stalling))
            lines = eventually(lambda: _reversed(tmp_path), GIVEN_BACK_SECONDS)
            assert [(each.kind, each.of) for each in lines] == [
                ("authorise", None),
                ("authorise", None),
                ("reverse", late.hex),
            ]
            assert lines[1].attempt == late.hex and lines[2].attempt == reversal_of(late).hex
            # The vault says so when it has heard the answer.
            said = b"late_approval_reversed"
            assert eventually(lambda: said in first.log_path.read_bytes(), GIVEN_BACK_SECONDS)


def _reversed(directory: Path) -> list[Any]:
    lines = journal_of(directory)
    return lines if lines and lines[-1].kind == "reverse" else []


async def _asked_twice(first: House, second: House, stalling: Line) -> UUID:
    """The attempt that was held up."""
    async with merchant(first) as payer, merchant(second) as elsewhere:
        elsewhere.id = payer.id
        request = payer.authorise(await payer.token())
        stalling.flows.clear()
        with pytest.raises(Unknown):
            await payer.door.call(request)
        age(first, request.attempt_id)
        resolution = await elsewhere.resolve(request.attempt_id)
        assert isinstance(resolution, relay.Resolution) and resolution.state == "never_begun"
        again = await elsewhere.door.call(another_attempt(request))
        assert isinstance(again, relay.Decision) and again.outcome == APPROVED
        stalling.flows.set()
        return request.attempt_id
