"""Writes who asked what, and what came of it: one entry per request, before its answer.

The fields are those of blueprint section 9, "Audit Logging Schema" (PCI DSS 4.0.1 req.
10.2.1, 10.2.2): user, type of event, date, success or failure, origin, affected resource.
A request whose work is done is answered even where its entry cannot be stored now: the
client must not be told that nothing was done.  The entry is kept and written again.
"""

import re
import time
from typing import Any

from domain import moments
from domain.audit_entries import PATH_CHARACTERS, USER_AGENT_CHARACTERS, cleaned
from domain.ids import to_text
from gateway.exchange import Exchange, Proceed
from runtime.log import log

# Probes of the process's health are no requests of anybody.
UNRECORDED_TAG = "health"

_PUBLIC_ID = re.compile(r"[a-z]{2,3}_[0-9a-f]{32}")


def bind(proceed: Proceed) -> Proceed:
    async def audited(exchange: Exchange) -> None:
        started = time.perf_counter()
        await proceed(exchange)
        milliseconds = round((time.perf_counter() - started) * 1000, 3)
        entry = _entry(exchange, milliseconds)
        log("request", **entry)
        operation = exchange.operation
        if operation is not None and operation.tag == UNRECORDED_TAG:
            return
        caller = exchange.caller
        whose = exchange.whose if caller is None else (caller.merchant_id, caller.livemode)
        stored = exchange.house.audit.record(exchange.request_uuid, whose, entry)
        if stored is not None:
            await stored

    return audited


def _entry(exchange: Exchange, milliseconds: float) -> dict[str, Any]:
    caller, operation, scope = exchange.caller, exchange.operation, exchange.scope
    path = cleaned(scope["path"], PATH_CHARACTERS) if operation is None else operation.path
    agent = exchange.headers.get(b"user-agent", b"").decode("latin-1")
    merchant = None if caller is None else caller.merchant_id
    if exchange.whose is not None:
        merchant = exchange.whose[0]
    return {
        "timestamp": moments.to_text(exchange.house.clock.now()),
        "request_id": exchange.request_id,
        "merchant_id": None if merchant is None else to_text("mch", merchant),
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
