"""The database goes away after the network has answered: the answer is 202, never 503.

503 promises that nothing was done; here the card is charged, and a worker will say so.
"""

from uuid import uuid4

import pytest

from contract import relay
from runtime.database import DatabaseUnavailable
from tests.flows.test_lost_processes import play
from tests.flows.till import Till
from tests.shop import Merchant, Shop

CALLS = {"capture": relay.Capture, "cancel": relay.Reverse}


async def gone() -> None:
    """The statement that would record the answer finds no database."""
    raise DatabaseUnavailable


@pytest.mark.parametrize("capture", [True, False], ids=["sale", "hold"])
def test_a_payment_is_accepted_and_ends_as_the_network_said(
    capture: bool, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        till.door.after[relay.Authorise] = gone
        first = await till.pay(key, token, capture=capture)
        assert (first.status, first.resource["status"]) == (202, "pending")
        assert first.resource["pending_reason"] == "network_unavailable"
        await till.recover()
        reply = await till.pay(key, token, capture=capture)
        assert (reply.status, reply.replayed) == (201, True)
        assert reply.resource["id"] == first.resource["id"]
        assert reply.resource["status"] == ("captured" if capture else "authorized")

    play(shop, merchant, story)


@pytest.mark.parametrize("action", CALLS)
def test_a_capture_or_cancellation_is_accepted_and_finished(
    action: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        till.door.after[CALLS[action]] = gone
        first = await till.act(key, payment, action)
        assert (first.status, first.resource["status"]) == (202, "authorized")
        await till.recover()
        reply = await till.act(key, payment, action)
        ended = "captured" if action == "capture" else "cancelled"
        assert (reply.status, reply.resource["status"]) == (200, ended)

    play(shop, merchant, story)
