"""Judges each item of a body alone and binds its own idempotency key to it.

The digest covers method, path and the canonical JSON of the item without its key.  The
database alone says whether a key was used: the statement that records the items finds the
rows of all their keys, which costs less than asking Valkey for each.
"""

import hashlib
from collections.abc import Awaitable
from uuid import UUID

from contract.items import KEY, Judged, canonical
from contract.operations import Operation
from domain.callers import Once
from domain.refusals import Refusal
from gateway.exchange import Exchange, Proceed
from handlers.http import Item


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    items = None if operation.body is None else operation.body.items
    if items is None:
        return proceed
    judged = items.judged

    def with_items(exchange: Exchange) -> Awaitable[None]:
        scope = exchange.scope
        head = f"{scope['method']}\0{scope['path']}\0".encode("utf-8", "surrogatepass")
        exchange.items = tuple(_item(head, each) for each in judged(exchange.body))
        return proceed(exchange)

    return with_items


def _item(head: bytes, judged: Judged) -> Item | Refusal:
    if judged.refusal is not None:
        return judged.refusal
    digest = hashlib.sha256(head + canonical(judged.value)).digest()
    return Item(judged.value, Once(UUID(judged.value[KEY]), digest))
