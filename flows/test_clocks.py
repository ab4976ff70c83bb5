"""Freezing the business clock of one's own sandbox, moving it forward, letting it go.

Every change is announced, so that what processes remember of the merchant is read again.
"""

from typing import Any, Final
from uuid import UUID

from domain import moments, test_clocks
from domain.callers import Asking
from domain.ids import from_text, to_text
from domain.refusals import Missing, Unprocessable
from flows import pages
from flows.house import House
from flows.replies import Reply, once
from models.announcing import announce_merchant
from models.paging import read_page
from models.tables import TEST_CLOCKS
from models.test_clocks import (
    catch_up,
    delete_clock,
    insert_clock,
    lock_clock,
    merchants_left_behind,
    move_clock,
    pull_forward,
    read_clock,
)
from runtime.database import Row, Transaction
from runtime.log import log

OK: Final = 200
CREATED: Final = 201


async def create_test_clock(house: House, asking: Asking, frozen_time: str) -> Reply:
    """Freeze business time at a moment that is not past; 422 where there is a clock."""
    caller = asking.caller

    async def change(transaction: Transaction) -> Reply:
        now = house.clock.now()
        clock = await insert_clock(
            transaction,
            id=house.new_id(),
            merchant_id=caller.merchant_id,
            livemode=caller.livemode,
            frozen_time=test_clocks.start_at(moments.from_text(frozen_time), now),
            created_at=now,
        )
        if clock is None:
            raise Unprocessable("test_clock_exists")
        await pull_forward(transaction, clock, now)
        await announce_merchant(transaction, caller.merchant_id)
        return Reply(CREATED, test_clocks.resource(clock))

    return await once(house, asking, change)


async def list_test_clocks(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """The merchant's clock as a list of one, or an empty list."""
    asked = pages.ask(query)
    scope = {"merchant_id": asking.caller.merchant_id, "livemode": asking.caller.livemode}
    async with house.database.transaction() as transaction:
        page = await read_page(transaction, TEST_CLOCKS, asked.page, **scope)
    # There is at most one, so a page that no cursor and no filter narrows has them all.
    whole = asked.page.start is None and not asked.filtered_by
    return pages.envelope(asked, page, test_clocks.resource, len(page.rows) if whole else None)


async def retrieve_test_clock(house: House, asking: Asking, clock_id: str) -> dict[str, Any]:
    """The clock, or 404."""
    async with house.database.reading() as transaction:
        clock = await read_clock(transaction, asking.caller.merchant_id, _identifier(clock_id))
    return test_clocks.resource(_found(clock))


async def advance_test_clock(
    house: House, asking: Asking, clock_id: str, frozen_time: str
) -> Reply:
    """Move a clock forward: what it passes is due now.  Raises 404, 422."""
    merchant_id, identifier = asking.caller.merchant_id, _identifier(clock_id)

    async def change(transaction: Transaction) -> Reply:
        clock = _found(await lock_clock(transaction, merchant_id, identifier))
        now = house.clock.now()
        asked = moments.from_text(frozen_time)
        to = test_clocks.advance_to(asked, clock["frozen_time"], now)
        moved = await move_clock(transaction, clock, to, now)
        await announce_merchant(transaction, merchant_id)
        return Reply(OK, test_clocks.resource(moved))

    return await once(house, asking, change)


async def delete_test_clock(house: House, asking: Asking, clock_id: str) -> dict[str, Any]:
    """Go back to the wall clock, or 404; what waits keeps the time it had left."""
    merchant_id, identifier = asking.caller.merchant_id, _identifier(clock_id)
    async with house.database.transaction() as transaction:
        clock = _found(await lock_clock(transaction, merchant_id, identifier, to_delete=True))
        await delete_clock(transaction, clock, house.clock.now())
        await announce_merchant(transaction, merchant_id)
    return test_clocks.deleted(identifier)


async def catch_up_with_clocks(house: House) -> int:
    """Pull forward what was written while its clock was being moved; how much that was."""
    now = house.clock.now()
    async with house.database.reading() as transaction:
        merchants = await merchants_left_behind(transaction, now)
    pulled = 0
    for merchant_id in merchants:
        async with house.database.transaction() as transaction:
            moved = await catch_up(transaction, merchant_id, now)
        log("test_clock_caught_up", merchant_id=to_text("mch", merchant_id), moved=moved)
        pulled += moved
    return pulled


def _identifier(clock_id: str) -> UUID:
    identifier = from_text("clk", clock_id)
    if identifier is None:
        raise _missing()
    return identifier


def _found(clock: Row | None) -> Row:
    if clock is None:
        raise _missing()
    return clock


def _missing() -> Missing:
    return Missing("resource_missing", "clock_id")
