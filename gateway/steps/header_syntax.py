"""400 for headers that cannot be read, or in two ways, before anybody reads them.

Conditions are read here too, where the document declares them; elsewhere they say nothing.
"""

from collections.abc import Awaitable

from contract.entity_tags import revisions
from contract.headers import check_headers, read_idempotency_key, read_tags
from contract.operations import Operation
from gateway.exchange import Exchange, Proceed

IF_MATCH = "If-Match"
IF_NONE_MATCH = "If-None-Match"
MATCH, NONE_MATCH = IF_MATCH.lower().encode(), IF_NONE_MATCH.lower().encode()


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    takes_key = operation.idempotency in ("required", "accepted")
    changes = IF_MATCH in operation.parameters.headers
    reads = IF_NONE_MATCH in operation.parameters.headers

    def with_clear_headers(exchange: Exchange) -> Awaitable[None]:
        pairs, headers = exchange.scope["headers"], exchange.headers
        check_headers(pairs, headers)
        if takes_key:
            exchange.key = read_idempotency_key(headers)
        elif reads and NONE_MATCH in headers:
            exchange.if_none_match = read_tags(pairs, headers, IF_NONE_MATCH)
        elif changes and MATCH in headers:
            exchange.if_match = revisions(read_tags(pairs, headers, IF_MATCH))
        return proceed(exchange)

    return with_clear_headers
