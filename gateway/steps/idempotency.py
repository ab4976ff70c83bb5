"""Binds the `Idempotency-Key`, which header_syntax has read, to this very request.

The digest covers method, path and the canonical JSON of the body, so the same key with
another request is known for what it is.  Whether the key was used is the database's word
(flows/replies.py); Valkey's hint, which came with the limiter's answer, travels along.
"""

import hashlib
from collections.abc import Awaitable

import orjson

from contract.headers import IDEMPOTENCY_KEY
from contract.operations import Operation
from domain.callers import Once
from domain.refusals import Malformed
from gateway.exchange import Exchange, Proceed


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    # Under `items` the items of the body carry the keys, and the header says nothing.
    if operation.idempotency in ("none", "items"):
        return proceed
    required = operation.idempotency == "required"

    def at_most_once(exchange: Exchange) -> Awaitable[None]:
        key = exchange.key
        if key is not None:
            exchange.idempotency_key = str(key)
            exchange.once = Once(key, _digest(exchange), exchange.seen_before)
        elif required:
            raise Malformed("idempotency_key_missing", IDEMPOTENCY_KEY)
        return proceed(exchange)

    return at_most_once


def _digest(exchange: Exchange) -> bytes:
    body, scope = exchange.body, exchange.scope
    canonical = b"" if body is None else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    head = f"{scope['method']}\0{scope['path']}\0".encode("utf-8", "surrogatepass")
    return hashlib.sha256(head + canonical).digest()
