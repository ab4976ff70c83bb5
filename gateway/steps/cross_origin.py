"""Lets pages of the dashboard's origin, and of no other, read answers (blueprint section 9).

Every other origin gets the same bytes without a word about it, and its browser keeps them
from the page.  What a browser shows as a page of ours is no matter of other origins at all.
"""

from contract.cross_origin import askable_by, readable_by
from gateway.exchange import Exchange, Proceed

ORIGIN = b"origin"
ASKS_FIRST = b"access-control-request-method"
PAGES = "pages"


def bind(proceed: Proceed) -> Proceed:
    async def with_origin(exchange: Exchange) -> None:
        await proceed(exchange)
        origin = exchange.headers.get(ORIGIN)
        if origin is None or origin != exchange.house.settings.dashboard_origin.encode():
            return
        if exchange.preflight is not None:
            if ASKS_FIRST in exchange.headers and exchange.preflight:
                exchange.answer_headers += askable_by(origin, exchange.preflight.encode())
        elif exchange.operation is None or exchange.operation.tag != PAGES:
            exchange.answer_headers += readable_by(origin)

    return with_origin
