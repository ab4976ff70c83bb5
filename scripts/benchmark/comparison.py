"""pgbench with our own statements: one request's work, one transaction per statement."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
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


_AUDIT = (
    "INSERT INTO audit_entries (id, merchant_id, entry, created_at) VALUES"  # nosec B608  # constants
    f" ({_EVENT_ID}, '{{merchant_id}}', {{entry}}, now());\n"
)
# The same work as a careful program would write it by hand: a statement for each thing.
_PLAIN = """BEGIN;
SELECT customer_id, type FROM payment_methods WHERE id = '{method_id}'
 AND merchant_id = '{merchant_id}' AND NOT livemode AND detached_at IS NULL;
INSERT INTO idempotency_keys (key, merchant_id, livemode, digest, resource_id, created_at)
 VALUES ({key}, '{merchant_id}', false, decode(repeat('ab', 32), 'hex'), {id}, now())
 ON CONFLICT DO NOTHING;
INSERT INTO payments (id, merchant_id, livemode, amount, currency, status, capture,
 payment_method_id, is_token, customer_id, description, metadata, idempotency_key, attempt_id,
 created_at, resume_at) VALUES ({id}, '{merchant_id}', false, 15000, 'usd', 'pending', true,
 '{method_id}', false, NULL, 'Order #9281',
 json_build_object('order_id', '9281', 'sku', 'WIDGET-PRO'), {key}, {id}, now(),
 now() + interval '10 seconds');
INSERT INTO counters VALUES ('{merchant_id}', false, 'payments', 'pending',
 64 + :client_id::int, 1) ON CONFLICT (merchant_id, livemode, resource, status, slot)
 DO UPDATE SET count = counters.count + 1;
COMMIT;
BEGIN;
UPDATE payments SET status = 'captured', amount_authorized = 15000, amount_captured = 15000,
 captured_at = now(), network = 'visa', resume_at = NULL, event_sequence = event_sequence + 1
 WHERE id = {id} AND merchant_id = '{merchant_id}' AND status = 'pending';
INSERT INTO events (id, merchant_id, livemode, type, object_id, sequence, object, request_id,
 created_at) VALUES ({event_id}, '{merchant_id}', false, 'payment.captured', {id}, 1, {shown},
 'req_bench', now());
SELECT id FROM webhook_endpoints WHERE merchant_id = '{merchant_id}' AND NOT livemode
 AND status = 'enabled' AND url IS NOT NULL AND deleted_at IS NULL;
UPDATE idempotency_keys SET status = 201, reply = {shown}
 WHERE key = {key} AND merchant_id = '{merchant_id}' AND NOT livemode;
INSERT INTO counters VALUES ('{merchant_id}', false, 'payments', 'captured',
 64 + :client_id::int, 1) ON CONFLICT (merchant_id, livemode, resource, status, slot)
 DO UPDATE SET count = counters.count + 1;
UPDATE counters SET count = count - 1 WHERE merchant_id = '{merchant_id}' AND NOT livemode
 AND resource = 'payments' AND status = 'pending' AND slot = 64 + :client_id::int;
INSERT INTO ledger_postings VALUES
 ({id}, 'capture', 0, '{merchant_id}', false, 'card_network', 'merchant', 15000, 'usd', now()),
 ({id}, 'capture', 1, '{merchant_id}', false, 'merchant', 'fees', 465, 'usd', now());
INSERT INTO ledger_balances VALUES
 ('{merchant_id}', false, 'usd', 'card_network', 64 + :client_id::int, -15000),
 ('{merchant_id}', false, 'usd', 'fees', 64 + :client_id::int, 465),
 ('{merchant_id}', false, 'usd', 'merchant', 64 + :client_id::int, 14535)
 ON CONFLICT (merchant_id, livemode, currency, account, slot)
 DO UPDATE SET balance = ledger_balances.balance + excluded.balance;
COMMIT;
"""


class Comparison(NamedTuple):
    """One way to do a payment's work in PostgreSQL, and pgbench's rate at it."""

    name: str
    payments_per_second: float


def compare(
    binaries: Path, url: str, merchant_id: UUID, method_id: UUID, shape: tuple[int, int]
) -> Iterator[Comparison]:
    """pgbench's payments per second; `shape` is its clients and the seconds of each run.

    The work is what the main house commits for a payment: record, answer, audit entry.
    What the vault commits besides is left out, in pgbench's favour.
    """
    shown = _shown(merchant_id, method_id)
    audit = _AUDIT.format(merchant_id=merchant_id, entry=shown)
    plain = _PLAIN.format(
        merchant_id=merchant_id,
        method_id=method_id,
        id=_ID,
        key=_KEY,
        event_id=_EVENT_ID,
        shown=shown,
    )
    scripts = {
        "a statement for each thing": _IDENTITY + plain + audit,
        "our statements, one row each": _IDENTITY + _ours(merchant_id, method_id) + audit,
    }
    for name, text in scripts.items():
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(text)
            file.flush()
            for mode in ("simple", "prepared"):
                rate = _run(binaries, url, Path(file.name), mode, shape)
                yield Comparison(f"{name}, -M {mode}", rate)


def _run(binaries: Path, url: str, script: Path, mode: str, shape: tuple[int, int]) -> float:
    clients, seconds = shape
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


def _shown(merchant_id: UUID, method_id: UUID) -> str:
    """The payment as its event carries it, built by the server."""
    return _json(
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


def _ours(merchant_id: UUID, method_id: UUID) -> str:
    common = {"id": _ID, "merchant_id": f"'{merchant_id}'", "livemode": "false", "key": _KEY}
    record = _json(
        {
            **common,
            "amount": "15000",
            "currency": "'usd'",
            "capture": "true",
            "payment_method_id": f"'{method_id}'",
            "is_token": "false",  # nosec B105  # a flag
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
            "fee": "465",
            "captured_at": "now()",
            "network": "'visa'",
            "reply_status": "201",
            "event_id": _EVENT_ID,
            "event_type": "'payment.captured'",
            "object": _shown(merchant_id, method_id),
            "request_id": "'req_bench'",
            "occurred_at": "now()",
        }
    )
    return _bound(RECORD.text, record) + _bound(DECIDE.text, decide)


def _json(values: dict[str, str]) -> str:
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"json_build_object({pairs})"


def _bound(statement: str, row: str) -> str:
    """The statement with a batch of one row; each client has a counter slot of its own."""
    text = statement.replace("%(rows)s", f"json_build_array({row})")
    text = text.replace("%(slot)s", "(64 + :client_id::int)").replace("\n", " ")
    return text + ";\n"
