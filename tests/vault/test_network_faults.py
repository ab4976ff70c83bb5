"""Networks of both kinds that misbehave: what is certain, what an inquiry tells, and no double."""

import asyncio
import time

import pytest

from contract import relay
from tests.vault.networks import (
    Kind,
    answered,
    approved,
    inquired,
    reversal,
)
from tests.vault.test_simulator import card, charge, order
from vault.networks.behaviours import Fault
from vault.networks.iso8583.link import Patience
from vault.networks.network import (
    Network,
    NetworkFailed,
    NetworkSilent,
    NetworkUnreached,
)
from vault.networks.outages import Outage

SUCCEEDS = "4242424242424242"


# Cards of which no answer comes, or none that can be believed: has the network decided?
SILENCES = {
    "4000009900000012": False,
    "4000009900000020": True,
    "4000009900000038": True,
    "4000009900000053": True,
    "4000009900000079": True,
    "4000009900000087": True,
}
FAILS, FLAPS = "4000009900000095", "4000009900000103"
FAILING = (FAILS, FLAPS)
# It answers after 2.9 s, a moment before the vault gives up.
SLOW = "4000009900000046"


@pytest.mark.parametrize(("number", "decided"), SILENCES.items())
def test_what_no_answer_tells_an_inquiry_does(kind: Kind, number: str, decided: bool) -> None:
    async def scenario(network: Network) -> None:
        asked = order(network="faultnet")
        with pytest.raises(NetworkSilent) as silence:
            await answered(network.authorise(asked, charge(card(number))))
        assert not isinstance(silence.value, NetworkFailed)
        found = await inquired(network, asked)
        assert (found is not None and found.outcome == "approved") == decided
        decision = "approved" if decided else "silence"
        assert kind.lines(asked.payment_id) == [("authorise", decision)]

    kind.play(scenario)


def test_a_network_that_fails_has_decided_nothing(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        for _ in range(2):
            asked = order(network="faultnet")
            with pytest.raises(NetworkFailed):
                await network.authorise(asked, charge(card(FAILS)))
            assert await network.inquire("faultnet", asked.attempt_id) is None

    kind.play(scenario)


def test_an_answer_after_2_9_seconds_is_an_answer(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        began = time.monotonic()
        decision = await network.authorise(order(network="faultnet"), charge(card(SLOW)))
        assert decision.outcome == "approved"
        assert time.monotonic() - began >= 2.9

    # A busy machine adds more to it than is left of a vault's patience.
    kind.play(scenario, Patience(answer_seconds=30.0))


def test_a_network_that_flaps_fails_at_every_other_call(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        flapping = charge(card(FLAPS))
        outcomes: list[str] = []
        for _ in range(4):
            try:
                decision = await network.authorise(order(network="faultnet"), flapping)
                outcomes.append(decision.outcome)
            except NetworkFailed:
                outcomes.append("failed")
        assert sorted(outcomes) == ["approved", "approved", "failed", "failed"]
        assert outcomes[0] != outcomes[1] != outcomes[2] != outcomes[3]

    kind.play(scenario)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_whole_network_misbehaves_and_no_other(kind: Kind, fault: Fault) -> None:
    undecided = fault in (Fault.SILENT_BEFORE, Fault.SYSTEM_ERROR, Fault.FLAPS)

    async def scenario(network: Network) -> None:
        kind.misbehave(visa=Outage(fault=fault))
        asked = order()
        if fault is Fault.TWICE:
            assert (await answered(network.authorise(asked, charge(card(SUCCEEDS))))).outcome
        else:
            with pytest.raises(NetworkSilent):
                await answered(network.authorise(asked, charge(card(SUCCEEDS))))
        elsewhere = order(network="mastercard")
        other = await network.authorise(elsewhere, charge(card("5555555555554444")))
        assert other.outcome == "approved"
        kind.misbehave()
        assert kind.lines(asked.payment_id) == ([] if undecided else [("authorise", "approved")])
        found = await inquired(network, asked)
        assert (found is None) == undecided
        # Whatever was wrong, the same attempt is decided once.
        again = await answered(network.authorise(asked, charge(card(SUCCEEDS))))
        assert again.outcome == "approved" and found in (None, again)
        assert kind.lines(asked.payment_id) == [("authorise", "approved")]

    kind.play(scenario)


@pytest.mark.parametrize("fault", [Fault.SILENT_AFTER, Fault.RESET, Fault.OTHER_AMOUNT])
def test_a_reversal_whose_answer_was_lost_is_repeated_and_done_once(
    kind: Kind, fault: Fault
) -> None:
    async def scenario(network: Network) -> None:
        first, approval = await approved(network)
        kind.misbehave(visa=Outage(fault=fault))
        asked = reversal(first)
        with pytest.raises(NetworkSilent):
            await answered(network.reverse(asked, approval))
        kind.misbehave()
        await inquired(network, asked)
        again = reversal(first, attempt_id=asked.attempt_id, repeated=True)
        assert (await network.reverse(again, approval)).outcome == "approved"
        wanted = [("authorise", "approved"), ("reverse", "approved")]
        assert kind.lines(first.payment_id) == wanted

    kind.play(scenario)


def test_a_network_that_takes_no_connection_was_certainly_not_asked(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        kind.misbehave(amex=Outage(refuses=True))
        await asyncio.sleep(0.1)
        asked = order(network="amex")
        with pytest.raises(NetworkUnreached):
            await network.authorise(asked, charge(card("378282246310005", "amex")))
        with pytest.raises(NetworkUnreached):
            await network.echo("amex")
        await network.echo("visa")
        kind.misbehave()
        assert await inquired(network, asked) is None
        assert kind.lines(asked.payment_id) == []

    kind.play(scenario)


def test_a_silent_network_gives_no_sign_of_life(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        await network.echo("visa")
        kind.misbehave(visa=Outage(fault=Fault.SILENT_BEFORE))

        async def echoed() -> relay.Decision:
            await network.echo("visa")
            raise AssertionError("a dead network answered")

        with pytest.raises(NetworkSilent):
            await answered(echoed())

    kind.play(scenario)


def test_an_answer_may_be_late_but_not_too_late(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        kind.misbehave(visa=Outage(delay_seconds=0.3))
        await answered(network.authorise(order(), charge(card(SUCCEEDS))))
        kind.misbehave(visa=Outage(delay_seconds=1.5))
        asked = order()
        with pytest.raises(NetworkSilent):
            await answered(network.authorise(asked, charge(card(SUCCEEDS))))
        # The answer that comes now changes nothing.
        await asyncio.sleep(1.0)
        kind.misbehave()
        found = await network.inquire("visa", asked.attempt_id)
        assert found is not None and found.outcome == "approved"

    kind.play(scenario)
