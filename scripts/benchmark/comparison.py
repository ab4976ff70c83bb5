"""pgbench with our own statements: one request's work, one transaction per statement."""

import re
import subprocess
import tempfile
from pathlib import Path
from uuid import UUID

from models.payment_decide import DECIDE
from models.payment_record import RECORD

# Ids that grow with time, as UUIDv7 do: PostgreSQL's indexes are spared nothing and
# charged nothing that our own run is not.
_IDENTITY = r"""\set seq :seq + 1
\set noise random(1, 9223372036854775806)
\set other random(1, 9223372036854775806)
\set high 117457440000000000 + :seq * 1024 + :client_id
"""
_ID = "(lpad(to_hex(:high::bigint), 16, '0') || lpad(to_hex(:noise::bigint), 16, '0'))::uuid"
_EVENT_ID = "(lpad(to_hex(:high::bigint), 16, '0') || lpad(to_hex(:other::bigint), 16, '0'))::uuid"
_KEY = "(lpad(to_hex(:other::bigint), 16, '0') || lpad(to_hex(:noise::bigint), 16, '0'))::uuid"
_OBJECT = "json_build_object({pairs})"


def transactions_per_second(
    binaries: Path, url: str, merchant_id: UUID, method_id: UUID, seconds: int, clients: int
) -> dict[str, float]:
    """pgbench's rate per protocol mode, for record and decide as two transactions each."""
    text = _script(merchant_id, method_id)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(text)
        file.flush()
        return {
            mode: _run(binaries, url, Path(file.name), mode, seconds, clients)
            for mode in ("simple", "prepared")
        }


def _run(binaries: Path, url: str, script: Path, mode: str, seconds: int, clients: int) -> float:
    command = [
        str(binaries / "pgbench"),
        *("-n", "-M", mode, "-c", str(clients), "-j", "1", "-T", str(seconds)),
        *("-D", "seq=0", "-f", str(script), url),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or "number of failed transactions: 0 " not in done.stdout:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}{done.stdout[-500:]}")
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    return float(found.group(1)) if found else 0.0


def _script(merchant_id: UUID, method_id: UUID) -> str:
    common = {"id": _ID, "merchant_id": f"'{merchant_id}'", "livemode": "false", "key": _KEY}
    shown = _json(
        {
            "object": "'payment'",
            "id": _ID,
            "merchant_id": f"'{merchant_id}'",
            "amount": "15000",
            "currency": "'usd'",
            "status": "'captured'",
            "payment_method_id": f"'{method_id}'",
            "description": "'Order #9281'",
            "metadata": "json_build_object('order_id', '9281', 'sku', 'WIDGET-PRO')",
            "idempotency_key": _KEY,
            "amount_captured": "15000",
            "amount_refunded": "0",
            "amount_disputed": "0",
            "network": "'visa'",
            "created_at": "now()",
            "captured_at": "now()",
        }
    )
    record = _json(
        {
            **common,
            "amount": "15000",
            "currency": "'usd'",
            "capture": "true",
            "payment_method_id": f"'{method_id}'",
            "is_token": "false",
            "description": "'Order #9281'",
            "metadata": "json_build_object('order_id', '9281', 'sku', 'WIDGET-PRO')",
            "digest": "repeat('ab', 32)",
            "attempt_id": _ID,
            "created_at": "now()",
            "resume_at": "now() + interval '10 seconds'",
        }
    )
    decide = _json(
        {
            **common,
            "attempt_id": _ID,
            "was": "'pending'",
            "status": "'captured'",
            "amount_authorized": "15000",
            "amount_captured": "15000",
            "captured_at": "now()",
            "network": "'visa'",
            "reply_status": "201",
            "event_id": _EVENT_ID,
            "event_type": "'payment.captured'",
            "object": shown,
            "request_id": "'req_bench'",
            "occurred_at": "now()",
        }
    )
    return _IDENTITY + _bound(RECORD.text, record) + _bound(DECIDE.text, decide)


def _json(values: dict[str, str]) -> str:
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"json_build_object({pairs})"


def _bound(statement: str, row: str) -> str:
    """The statement with a batch of one row; each client has a counter slot of its own."""
    text = statement.replace("%(rows)s", f"json_build_array({row})")
    text = text.replace("%(slot)s", "(64 + :client_id::int)").replace("\n", " ")
    return text + ";\n"
