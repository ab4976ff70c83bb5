"""Writes who asked what, and what came of it: one entry per request.

The fields are those of blueprint section 9, "Audit Logging Schema" (PCI DSS 4.0.1 req.
10.2.1, 10.2.2): user, type of event, date, success or failure, origin, affected resource.
Nothing a client wrote is copied but its user agent, cut and cleaned (req. 3.5.1).
"""

import re
import time
from functools import lru_cache
from typing import Any

from domain.ids import to_text
from gateway.exchange import Exchange, Proceed
from runtime.log import log

USER_AGENT_CHARACTERS = 256
PATH_CHARACTERS = 256
REMEMBERED_TEXTS = 1024
MASK = "[masked]"
# A mask of 8 characters stands for 37 at most, so no cut number comes within the limit; what
# is remembered must not be as long as the client likes.
READ_PER_KEPT = 8

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# As many digits as a card number has, however they are grouped.
_CARD_NUMBERS = re.compile(r"[0-9](?:[ .\-_+%/]?[0-9]){12,18}")
_PUBLIC_ID = re.compile(r"[a-z]{2,3}_[0-9a-f]{32}")


def bind(proceed: Proceed) -> Proceed:
    async def audited(exchange: Exchange) -> None:
        started = time.perf_counter()
        await proceed(exchange)
        milliseconds = round((time.perf_counter() - started) * 1000, 3)
        entry = _entry(exchange, milliseconds)
        log("request", **entry)
        caller = exchange.caller
        whose = None if caller is None else (caller.merchant_id, caller.livemode)
        exchange.house.audit.record(exchange.request_uuid, whose, entry)

    return audited


def _entry(exchange: Exchange, milliseconds: float) -> dict[str, Any]:
    caller, operation, scope = exchange.caller, exchange.operation, exchange.scope
    path = cleaned(scope["path"], PATH_CHARACTERS) if operation is None else operation.path
    agent = exchange.headers.get(b"user-agent", b"").decode("latin-1")
    moment = exchange.house.clock.now().isoformat(timespec="milliseconds")
    return {
        "timestamp": moment.replace("+00:00", "Z"),
        "request_id": exchange.request_id,
        "merchant_id": None if caller is None else to_text("mch", caller.merchant_id),
        "api_key_prefix": None if caller is None else caller.key_display,
        "method": cleaned(scope["method"], PATH_CHARACTERS),
        "path": path,
        "status_code": exchange.status,
        "ip_address": exchange.client_address,
        "user_agent": cleaned(agent, USER_AGENT_CHARACTERS),
        "latency_ms": milliseconds,
        "resource_id": exchange.resource_id or _named_in_path(exchange),
        "scopes_used": exchange.scopes_used,
        "idempotency_key": exchange.idempotency_key,
        "risk_signals": exchange.risk_signals,
    }


def _named_in_path(exchange: Exchange) -> str | None:
    """The last id of the path, where it has the form of one of ours."""
    for text in reversed(exchange.path_parameters.values()):
        return text if _PUBLIC_ID.fullmatch(text) else None
    return None


def cleaned(text: str, limit: int) -> str:
    """A text of the client's, without control characters and card numbers, cut to `limit`."""
    return _cleaned(text[: limit * READ_PER_KEPT], limit)


@lru_cache(REMEMBERED_TEXTS)
def _cleaned(text: str, limit: int) -> str:
    return _CARD_NUMBERS.sub(MASK, _CONTROLS.sub(" ", text))[:limit]
