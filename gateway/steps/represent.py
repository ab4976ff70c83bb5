"""Turns the handler's resource into the bytes of the answer, checked against the document."""

from contract.answers import JSON_CONTENT_TYPE, encode
from contract.errors import REPLAYED
from contract.operations import Operation
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    check, fieldset = operation.answers.check, operation.fieldset

    async def represented(exchange: Exchange) -> None:
        await proceed(exchange)
        answer = exchange.answer
        if answer is None:
            raise LookupError("the handler gave no answer")
        body = answer.body
        check(answer.status, body)
        if fieldset is not None and exchange.fields is not None:
            body = fieldset.applied(body, exchange.fields)
        exchange.answer_body = encode(body)
        exchange.answer_headers = [JSON_CONTENT_TYPE]
        if answer.replayed:
            exchange.answer_headers.append(REPLAYED)
        exchange.resource_id = answer.resource_id
        exchange.status = answer.status

    return represented
