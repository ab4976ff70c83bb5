"""Tells a known caller of its limits on every answer.

One that was refused before the limiter was asked, for its scope or its address, is charged
here: those refusals are no way round the limit, and stay what they are.
"""

from contract.limit_headers import limit_headers
from gateway.exchange import CLIENT_GONE_STATUS, Exchange, Proceed
from gateway.limiting import charge


def bind(proceed: Proceed) -> Proceed:
    async def told(exchange: Exchange) -> None:
        await proceed(exchange)
        caller = exchange.caller
        if caller is None or exchange.status == CLIENT_GONE_STATUS:
            return
        if exchange.decision is None:
            await charge(exchange, caller, 1)
        if exchange.allowance is not None and exchange.decision is not None:
            headers = limit_headers(exchange.allowance.rules, exchange.decision)
            exchange.answer_headers.extend(headers)

    return told
