"""An approval that a network will not take back is counted: somebody has to call it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from contract import relay
from tests.flows import test_lost_holds as holds
from tests.flows.test_lost_processes import play
from tests.flows.till import Lost, Till, lost
from tests.shop import Merchant, Shop

DECLINED = relay.Decision(outcome="declined", network="visa", code="processing_error")


def counted(of: Literal["payment", "hold"]) -> float:
    return REGISTRY.get_sample_value("paymint_reversals_declined_total", {"of": of}) or 0.0


@contextmanager
def worker_at_rest(shop: Shop) -> Iterator[None]:
    """The stack's own worker would be the first to give back, and its network does it."""
    process = shop.serving.process_id("paymint-worker")
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


async def taken_back(till: Till) -> None:
    """Somebody has called the network: it stands on the stack's books no longer."""
    declined = [each for each in till.door.asked if isinstance(each, relay.Reverse)]
    decision = await till.door.call(declined[-1])
    assert isinstance(decision, relay.Decision) and decision.outcome == "approved"


def test_of_a_payment_that_was_cancelled(shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        till.door.after[relay.Authorise] = lost
        with pytest.raises(Lost):
            await till.pay(uuid4(), merchant.tokenise())
        (payment,) = merchant.get("/v1/payments")["data"]
        with worker_at_rest(shop):
            assert (await till.act(uuid4(), payment["id"], "cancel")).status == 200
            till.door.instead[relay.Reverse] = DECLINED
            before = counted("payment")
            await till.recover()
            assert counted("payment") == before + 1
            await taken_back(till)

    play(shop, merchant, story)


def test_of_a_hold_that_was_released(shop: Shop, merchant: Merchant) -> None:
    async def story(till: holds.HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        with worker_at_rest(shop):
            await till.release(hold)
            till.till.door.instead[relay.Reverse] = DECLINED
            before = counted("hold")
            await till.recover()
            assert counted("hold") == before + 1
            await taken_back(till.till)

    holds.play(shop, merchant, story)
