"""What Schemathesis must know of us that no schema can say.

* The document's examples name ids that nobody has.  Where a generated request carries one of
  them, it gets one of the test merchant's instead, so that examples are really accepted.
  Payments get the method that nobody detaches for two of three ids of their own choice.
* A cursor belongs to one list: the examples' cursors are left out.
* A key is used once: a replay answers with an object that may be gone by now, which looks
  like a created object that cannot be found.
* JSON Schema calls `100.0` an integer; this API does not (contract-decisions, "Shape"), and
  tests/gateway holds it to that.  Generated integral floats are sent as integers.
"""

import json
import os
import re
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis

OWN_INSTRUMENT = re.compile(r"(pm|tok)_[0-9a-f]{32}")
REFERENCE = re.compile(r"[A-Za-z0-9_]{1,64}")
SAMPLE_ID = re.compile(r"(mch|cus|tok|pm|pay|ref|evt|whe)_019d7[0-9a-f]{27}")
KEY = "Idempotency-Key"
UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
SAMPLE_CURSOR = re.compile(r"crs_eyJ[A-Za-z0-9_-]+")
POOL_BY_PREFIX = {
    "mch": "merchants",
    "cus": "customers",
    "tok": "tokens",
    "pm": "payment_methods",
    "pay": "payments",
    "ref": "refunds",
    "evt": "events",
    "whe": "webhook_endpoints",
}
# Some operations need a payment in a certain state, or a method that nobody detaches.
POOL_BY_OPERATION = {
    ("/v1/payments", "pm"): "lasting_methods",
    ("/v1/payments/{payment_id}/capture", "pay"): "held_payments",
    ("/v1/payments/{payment_id}/cancel", "pay"): "held_payments",
    ("/v1/payments/{payment_id}/refunds", "pay"): "taken_payments",
    ("/v1/payments/{payment_id}/refunds/{refund_id}", "pay"): "refunded_payments",
}

STOCK: dict[str, list[str]] = json.loads(Path(os.environ["PAYMINT_STOCK"]).read_text())
POOLS = {name: cycle(values) for name, values in STOCK.items()}
LASTING = STOCK["lasting_methods"][0]
SPARE = POOLS["payment_methods"]
TURNS = cycle([True, True, False])


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Changes a case just before it is sent, in every phase; what need not change is let be."""
    path = case.operation.path
    if path == "/v1/payments" and isinstance(case.body, dict):
        with_lasting_method(case.body)
    if case.method == "DELETE" and LASTING in (case.path_parameters or {}).values():
        case.path_parameters = {**case.path_parameters, "payment_method_id": next(SPARE)}
    for part in ("path_parameters", "body"):
        before = getattr(case, part)
        after = real(path, before)
        # By their words: 100.0 equals 100.
        if repr(after) != repr(before):
            setattr(case, part, after)
    if isinstance(case.query, dict):
        for name in [each for each, value in case.query.items() if sample_cursor(value)]:
            del case.query[name]
    headers = case.headers or {}
    # Beside a credential that was spoilt on purpose nothing may be changed: Schemathesis would
    # judge the whole of the headers anew.
    good = str(headers.get("Authorization", "")).startswith("Bearer sk_test_")
    if good and UUID.fullmatch(str(headers.get(KEY, ""))):
        headers[KEY] = str(uuid4())


def with_lasting_method(body: dict[str, Any]) -> None:
    """Links hand on tokens that were used and methods that were detached by now."""
    instrument = body.get("payment_method_id")
    if isinstance(instrument, str) and OWN_INSTRUMENT.fullmatch(instrument) and next(TURNS):
        body["payment_method_id"] = LASTING
        if REFERENCE.fullmatch(str(body.get("customer_id", ""))):
            body["customer_id"] = STOCK["customers"][0]


def sample_cursor(value: Any) -> bool:
    return isinstance(value, str) and SAMPLE_CURSOR.fullmatch(value) is not None


def real(path: str, value: Any) -> Any:
    """The value as it is sent to the operation at `path`."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: real(path, each) for name, each in value.items()}
    if isinstance(value, list):
        return [real(path, each) for each in value]
    found = SAMPLE_ID.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    prefix = found[1]
    return next(POOLS[POOL_BY_OPERATION.get((path, prefix), POOL_BY_PREFIX[prefix])])
