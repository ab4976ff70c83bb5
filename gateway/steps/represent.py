"""Turns the handler's resource into the bytes of the answer, checked against the document.

An answer in an older version is checked twice: as the handler gave it, against the present
document, and as it is sent, against that version's own.
"""

from contract.answers import JSON_CONTENT_TYPE, encode
from contract.errors import REPLAYED
from contract.operations import Operation
from contract.publishing import CACHE
from contract.sheets import CONTENT_TYPE, Sheet
from gateway.exchange import Exchange, Proceed

PAGE = (b"content-type", b"text/html; charset=utf-8")


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    # Those are answered as they were made: gateway/steps/publish.py.
    if operation.cache == CACHE:
        return proceed
    check, fieldset = operation.answers.check, operation.fieldset

    async def represented(exchange: Exchange) -> None:
        await proceed(exchange)
        answer = exchange.answer
        if answer is None:
            raise LookupError("the handler gave no answer")
        body, rendering = answer.body, exchange.rendering
        check(answer.status, body)
        exchange.resource_id = answer.resource_id
        exchange.whose = answer.whose
        exchange.status = answer.status
        if body is None or isinstance(body, bytes):
            exchange.answer_body = body or b""
            exchange.answer_headers = [*answer.headers, *((PAGE,) if body else ())]
            return
        if isinstance(body, Sheet):
            exchange.answer_body = body.text
            exchange.answer_headers = [CONTENT_TYPE, *answer.headers]
            return
        if fieldset is not None and exchange.fields is not None:
            body = fieldset.applied(body, exchange.fields)
        if rendering is not None:
            body = rendering.render(answer.status, body)
            # With `fields` even what the document requires is left out.
            if exchange.fields is None:
                rendering.answers.check(answer.status, body)
        exchange.answer_body = encode(body)
        exchange.answer_headers = [JSON_CONTENT_TYPE, *answer.headers]
        if answer.replayed:
            exchange.answer_headers.append(REPLAYED)

    return represented
