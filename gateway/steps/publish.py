"""Answers the published documents: bytes that were made when the process started."""

from contract.operations import Operation
from contract.publishing import CACHE, Published, published
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    if operation.cache != CACHE:
        return proceed
    # Made now, while the process starts, and not while somebody waits.
    published()

    async def as_published(exchange: Exchange) -> None:
        await proceed(exchange)
        answer = exchange.answer
        if answer is None or not isinstance(answer.body, Published):
            raise LookupError("a published operation answers with what was published")
        exchange.answer_body = answer.body.text
        exchange.answer_headers = list(answer.body.headers)
        exchange.status = answer.status

    return as_published
