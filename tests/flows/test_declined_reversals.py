"""An approval that a network will not take back is counted: somebody has to call it."""

from typing import Literal
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from contract import relay
from domain.ids import from_text
from tests.flows import test_lost_holds as holds
from tests.flows.test_lost_processes import play
from tests.flows.till import Lost, Till, lost
from tests.shop import Merchant, Shop

DECLINED = relay.Decision(outcome="declined", network="visa", code="processing_error")


def counted(of: Literal["payment", "hold"]) -> float:
    return REGISTRY.get_sample_value("paymint_reversals_declined_total", {"of": of}) or 0.0


async def taken_back(till: Till, merchant: Merchant, identifier: UUID | None) -> None:
    """Somebody has called the network: it stands on the stack's books no longer."""
    merchant_id = from_text("mch", merchant.id)
    assert merchant_id is not None and identifier is not None
    reversal = relay.Reverse(
        request_id="req_test",
        merchant_id=merchant_id,
        livemode=False,
        attempt_id=uuid4(),
        payment_id=identifier,
    )
    decision = await till.door.call(reversal)
    assert isinstance(decision, relay.Decision) and decision.outcome == "approved"


def test_of_a_payment_that_was_cancelled(shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        till.door.after[relay.Authorise] = lost
        with pytest.raises(Lost):
            await till.pay(uuid4(), merchant.tokenise())
        (payment,) = merchant.get("/v1/payments")["data"]
        assert (await till.act(uuid4(), payment["id"], "cancel")).status == 200
        till.door.instead[relay.Reverse] = DECLINED
        before = counted("payment")
        await till.recover()
        assert counted("payment") == before + 1
        await taken_back(till, merchant, from_text("pay", payment["id"]))

    play(shop, merchant, story)


def test_of_a_hold_that_was_released(shop: Shop, merchant: Merchant) -> None:
    async def story(till: holds.HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        await till.release(hold)
        till.till.door.instead[relay.Reverse] = DECLINED
        before = counted("hold")
        await till.recover()
        assert counted("hold") == before + 1
        await taken_back(till.till, merchant, from_text("hld", hold))

    holds.play(shop, merchant, story)
