"""A deletion locks a test clock, then what waits under it; nobody may lock the other way round."""

from concurrent.futures import ThreadPoolExecutor

from domain.ids import from_text
from tests.business_clock import Frozen
from tests.serving import eventually
from tests.shop import Merchant, Shop, told
from tests.shop_holds import Wallet, hold_uuid

WAITING_SECONDS = 15.0
DISPUTE_CARD = "4000000000000259"
_HOLD_CLOCK = "SELECT 1 FROM test_clocks WHERE merchant_id = %s FOR UPDATE"
_TAKE_PAYMENT = "SELECT 1 FROM payments WHERE id = %s FOR UPDATE NOWAIT"
_TAKE_HOLD = "SELECT 1 FROM holds WHERE id = %s FOR UPDATE NOWAIT"
_WAITERS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def waiters(shop: Shop) -> int:
    with shop.database() as connection:
        row = connection.execute(_WAITERS).fetchone()
    assert row is not None
    return int(row[0])


def payment_is_free(shop: Shop, payment: str) -> None:
    with shop.database() as connection:
        assert connection.execute(_TAKE_PAYMENT, [from_text("pay", payment)]).fetchone()


def test_a_dispute_of_the_sandbox_waits_for_the_clock_alone(shop: Shop, merchant: Merchant) -> None:
    payment = merchant.pay()["id"]
    Frozen(merchant)
    path, body = "/v1/test_helpers/disputes", {"payment_id": payment}
    with ThreadPoolExecutor(1) as pool, shop.database() as deleting:
        with deleting.transaction():
            deleting.execute(_HOLD_CLOCK, [from_text("mch", merchant.id)])
            asked = pool.submit(merchant.ask, "POST", path, body)
            assert eventually(lambda: waiters(shop), WAITING_SECONDS)
            payment_is_free(shop, payment)
        assert told(asked.result(), 201)["payment_id"] == payment


def test_a_chargeback_that_comes_in_waits_for_the_clock_alone(
    shop: Shop, merchant: Merchant
) -> None:
    Frozen(merchant)
    payment = merchant.pay(merchant.tokenise(DISPUTE_CARD))["id"]
    with shop.database() as deleting, deleting.transaction():
        deleting.execute(_HOLD_CLOCK, [from_text("mch", merchant.id)])
        assert eventually(lambda: waiters(shop), WAITING_SECONDS)
        payment_is_free(shop, payment)

    def disputes() -> list[object]:
        found: list[object] = merchant.get("/v1/disputes", payment_id=payment)["data"]
        return found

    assert eventually(disputes, WAITING_SECONDS)


def test_a_draw_waits_for_the_clock_alone(shop: Shop, merchant: Merchant) -> None:
    wallet = Wallet(merchant)
    hold = wallet.hold()["id"]
    Frozen(merchant)
    with ThreadPoolExecutor(1) as pool, shop.database() as deleting:
        with deleting.transaction():
            deleting.execute(_HOLD_CLOCK, [from_text("mch", merchant.id)])
            drawn = pool.submit(wallet.draw, hold, 500)
            assert eventually(lambda: waiters(shop), WAITING_SECONDS)
            assert deleting.execute(_TAKE_HOLD, [hold_uuid(hold)]).fetchone()
        assert drawn.result()["hold_id"] == hold


def test_a_draw_that_waited_for_its_hold_goes_by_the_clock(shop: Shop, merchant: Merchant) -> None:
    wallet = Wallet(merchant)
    hold = wallet.hold()["id"]
    # The wall clock comes there a minute later.
    ends = Frozen(merchant).time
    with ThreadPoolExecutor(1) as pool, shop.database() as changing:
        with changing.transaction():
            changing.execute("UPDATE holds SET end_at = %s WHERE id = %s", [ends, hold_uuid(hold)])
            asked = pool.submit(wallet.draw_answer, hold, 500)
            assert eventually(lambda: waiters(shop), WAITING_SECONDS)
        assert told(asked.result(), 422)["error"]["code"] == "hold_unexpected_state"
    assert wallet.shown(hold)["amount_drawn"] == 0
