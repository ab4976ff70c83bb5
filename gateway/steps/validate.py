"""400 where query or body are not what the document says; fills in the query's defaults.

What `fields` asks for is no matter of the handler's: it is taken out of the query.
"""

from collections.abc import Awaitable

from contract.fieldsets import PARAMETER as FIELDS
from contract.operations import Operation
from domain.refusals import Malformed
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    parameters, body, fieldset = operation.parameters, operation.body, operation.fieldset

    def validated(exchange: Exchange) -> Awaitable[None]:
        query = exchange.query = parameters.read_query(exchange.scope["query_string"])
        if fieldset is not None and FIELDS in query:
            exchange.fields = fieldset.chosen(query.pop(FIELDS))
            rendering = exchange.rendering
            if rendering is not None and not exchange.fields.isdisjoint(rendering.unknown_fields):
                raise Malformed("field_unknown", FIELDS)
        if body is not None and exchange.body is not None:
            body.check(exchange.body)
        return proceed(exchange)

    return validated
