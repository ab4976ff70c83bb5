"""400 for headers that could be read in two ways, before anybody reads them.

Conditions are read here too, where the document declares them; elsewhere they say nothing.
"""

from contract.entity_tags import revisions
from contract.headers import check_headers, read_tags
from contract.operations import Operation
from gateway.exchange import Exchange, Proceed

IF_MATCH = "If-Match"
IF_NONE_MATCH = "If-None-Match"


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    changes = IF_MATCH in operation.parameters.headers
    reads = IF_NONE_MATCH in operation.parameters.headers

    async def with_clear_headers(exchange: Exchange) -> None:
        pairs, headers = exchange.scope["headers"], exchange.headers
        check_headers(pairs, headers)
        if reads:
            exchange.if_none_match = read_tags(pairs, headers, IF_NONE_MATCH)
        elif changes:
            tags = read_tags(pairs, headers, IF_MATCH)
            exchange.if_match = None if tags is None else revisions(tags)
        await proceed(exchange)

    return with_clear_headers
