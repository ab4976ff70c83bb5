"""What Schemathesis must know of us that no schema can say.

* The document's examples name ids that nobody has.  Where a generated request carries one of
  them, it gets one of the test merchant's instead, so that examples are really accepted.
  Payments get the method that nobody detaches for two of three ids of their own choice.
* A cursor belongs to one list: the examples' cursors are left out, and two of three that were
  made up, so that every list is read now and then.
* Requests are asked with the key of the account that they are for, see stock.py, and name the
  version under test where they name none: an account may be pinned to another by now.
* An item of a batch may be anything, and is judged alone: the first becomes a payment.
* A test clock goes forward only, and past the end of the version under test there is nothing
  but 410: every moment becomes the one after the last.
* What `fields` leaves out is missing from an answer whose schema requires it: tests/gateway
  holds `fields` to its promise, here whole resources are asked for.
* A tag that was made up matches no revision: every `If-Match` that can be read becomes `*`.
* A key is used once: a replay answers with an object that may be gone by now, which looks
  like a created object that cannot be found.
* JSON Schema calls `100.0` an integer; this API does not (contract-decisions, "Shape"), and
  tests/gateway holds it to that.  Generated integral floats are sent as integers.
"""

import json
import os
import re
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import schemathesis
from schemathesis.core.media_types import YAML_MEDIA_TYPES

from contract.entity_tags import PATTERN
from tests.contract_conformance.amounts import BATCH_AMOUNT

OWN_INSTRUMENT = re.compile(r"(pm|tok)_[0-9a-f]{32}")
REFERENCE = re.compile(r"[A-Za-z0-9_]{1,64}")
SAMPLE_ID = re.compile(
    r"(mch|cus|tok|pm|pay|ref|evt|whe|key|dsp|clk|req|alr|usr|ses|clt|grt|btx|pyt|hld)"
    r"_019d7[0-9a-f]{27}"
)
KEY = "Idempotency-Key"
UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
FIELD_NAMES = re.compile(r"[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*")
TAGS = re.compile(PATTERN)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d.*")
CURSORS = {"starting_after", "ending_before"}
SAMPLE_CURSOR = re.compile(r"crs_eyJ[A-Za-z0-9_-]+")
POOL_BY_PREFIX = {
    "mch": "merchants",
    "cus": "customers",
    "tok": "tokens",
    "pm": "payment_methods",
    "pay": "payments",
    "ref": "refunds",
    "hld": "holds",
    "evt": "events",
    "whe": "webhook_endpoints",
    "key": "api_keys",
    "dsp": "disputes",
    "clk": "clocks",
    "btx": "balance_transactions",
    "pyt": "payouts",
    "req": "requests",
    "alr": "alerts",
    "usr": "users",
    "ses": "sessions",
    "clt": "oauth_clients",
    "grt": "oauth_grants",
}
# Some operations need a payment in a certain state, or a method that nobody detaches.
POOL_BY_OPERATION = {
    ("/v1/payments", "pm"): "lasting_methods",
    ("/v1/holds", "pm"): "lasting_methods",
    ("/v1/holds/{hold_id}/top_up", "hld"): "growing_holds",
    ("/v1/holds/{hold_id}/release", "hld"): "spare_holds",
    ("/v1/payments/{payment_id}/capture", "pay"): "held_payments",
    ("/v1/payments/{payment_id}/cancel", "pay"): "held_payments",
    ("/v1/payments/{payment_id}/refunds", "pay"): "taken_payments",
    ("/v1/payments/{payment_id}/refunds/{refund_id}", "pay"): "refunded_payments",
    ("/v1/test_helpers/disputes", "pay"): "disputable_payments",
    ("/v1/test_helpers/disputes/{dispute_id}/close", "dsp"): "closing_disputes",
    ("/v1/merchants/{merchant_id}/live_keys", "mch"): "approved_merchants",
    ("/v1/api_keys/{api_key_id}/resume", "key"): "suspended_keys",
}
# Who asks for what the trading account does not: the first that fits.
ASKERS = (
    (re.compile("POST /v1/merchants|POST /v1/api_keys/.*/(suspend|resume)"), "OPERATOR"),
    (re.compile("[A-Z]+ /v1/oauth_clients.*"), "OPERATOR"),
    (re.compile("POST /v1/merchants/.*/live_keys"), "APPROVED"),
    (re.compile("[A-Z]+ /v1/(merchants|api_keys|alerts).*"), "SETTINGS"),
    (re.compile("[A-Z]+ /v1/test_helpers/clocks.*"), "CLOCKS"),
    (re.compile("[A-Z]+ /v1/(balance|payouts).*"), "PAID"),
)
KEY_OF = {asker: os.environ[f"PAYMINT_{asker}_KEY"] for _, asker in ASKERS}
GOOD = [f"Bearer {os.environ[f'PAYMINT_{kind}_KEY']}" for kind in ("SECRET", "PUBLISHABLE")]
VERSION = os.environ["PAYMINT_VERSION_UNDER_TEST"]
CLOCKS = "/v1/test_helpers/clocks"
ENDPOINTS = "/v1/webhook_endpoints"
SUSPENSION = "/v1/api_keys/{api_key_id}/suspend"
METHODS = "/v1/customers/{customer_id}/payment_methods"
CLOCK_STEP = timedelta(minutes=10)

STOCK: dict[str, list[str]] = json.loads(Path(os.environ["PAYMINT_STOCK"]).read_text())
POOLS = {name: cycle(values) for name, values in STOCK.items()}
LASTING = STOCK["lasting_methods"][0]
# Of what must last, by the name of its parameter: what is deleted instead.
LASTS = {
    "payment_method_id": ("lasting_methods", "payment_methods"),
    "customer_id": ("customers", "spare_customers"),
    "webhook_endpoint_id": ("webhook_endpoints", "spare_endpoints"),
    "user_id": ("users", "spare_users"),
}
TURNS = cycle([True, True, False])
CREATED = {CLOCKS: [STOCK["clocks"][0]], ENDPOINTS: []}
AT_MOST = {CLOCKS: 1, ENDPOINTS: 6}
# Where the account's clock stands.
CLOCK_NOW = {"time": datetime.fromisoformat(STOCK["clock_times"][0])}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Changes a case just before it is sent, in every phase; what need not change is let be."""
    path = case.operation.path
    # A redirect is the answer, and leads to another operation.
    kwargs["allow_redirects"] = False
    if isinstance(case.body, dict):
        fill(path, case.body)
    for part in ("path_parameters", "body"):
        before = getattr(case, part)
        after = real(path, before)
        # By their words: 100.0 equals 100.
        if repr(after) != repr(before):
            setattr(case, part, after)
    if case.method == "DELETE" and case.path_parameters:
        spare_what_lasts(case)
    if path == SUSPENSION and (case.path_parameters or {}).get("api_key_id") in STOCK["api_keys"]:
        # A suspended key cannot be rolled, and rolling would be asked of nothing else.
        case.path_parameters = {"api_key_id": next(POOLS["suspended_keys"])}
    if case.method == "POST" and path in CREATED and case.meta.phase.name != "stateful":
        make_room(path)
    if isinstance(case.query, dict):
        for name in [each for each, value in case.query.items() if sample_cursor(value)]:
            del case.query[name]
        made_up = case.meta.phase.name == "fuzzing" and case.meta.generation.mode.is_positive
        if made_up and CURSORS & case.query.keys() and next(TURNS):
            case.query = {k: v for k, v in case.query.items() if k not in CURSORS}
        if FIELD_NAMES.fullmatch(str(case.query.get("fields", ""))):
            del case.query["fields"]
    address(f"{case.method} {path}", case)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Keeps in mind what was created, where a merchant may have no more than so many."""
    path = case.operation.path
    if case.method == "POST" and path in CREATED and response.status_code == 201:
        CREATED[path].append(response.json()["id"])


@schemathesis.deserializer(*YAML_MEDIA_TYPES, "text/html", "text/csv")
def as_text(context: Any, response: Any) -> str:
    """The document describes its YAML, pages and tables as the text that they are."""
    return str(response.content.decode())


def make_room(path: str) -> None:
    """Delete the oldest, as a merchant would who wants one more.

    Not on a walk, which may hold a link to it.
    """
    if len(CREATED[path]) >= AT_MOST[path]:
        asker = "CLOCKS" if path == CLOCKS else "SECRET"
        headers = {"Authorization": f"Bearer {os.environ[f'PAYMINT_{asker}_KEY']}"}
        url = f"{os.environ['PAYMINT_BASE_URL']}{path}/{CREATED[path].pop(0)}"
        httpx.delete(url, headers=headers)


def address(asked: str, case: Any) -> None:
    """The headers, unless the credential was spoilt on purpose: beside it nothing may be
    changed, since Schemathesis would judge the whole of the headers anew."""
    headers = case.headers
    if headers is None:
        return
    if case.operation.definition.raw.get("security"):
        if headers.get("Authorization") not in GOOD:
            return
        for pattern, asker in ASKERS:
            if pattern.fullmatch(asked):
                headers["Authorization"] = f"Bearer {KEY_OF[asker]}"
                break
    headers.setdefault("Paymint-Version", VERSION)
    if case.operation.definition.raw["tags"] == ["pages"]:
        # As a browser does; tests/journeys/test_people.py sends forms from elsewhere.
        headers["Origin"] = os.environ["PAYMINT_BASE_URL"]
    if UUID.fullmatch(str(headers.get(KEY, ""))):
        headers[KEY] = str(uuid4())
    if TAGS.fullmatch(str(headers.get("If-Match", "x"))):
        headers["If-Match"] = "*"


def fill(path: str, body: dict[str, Any]) -> None:
    """What a body needs to be accepted now and then."""
    if path in ("/v1/payments", "/v1/holds"):
        with_lasting_method(body)
    if path == METHODS and OWN_INSTRUMENT.fullmatch(str(body.get("token", ""))) and next(TURNS):
        # Tokens are cards, and used once: of ten requests all might name another type.
        body |= {"type": "card", "token": next(POOLS["tokens"])}
    items = body.get("payments")
    if path == "/v1/payments/batch" and isinstance(items, list) and 1 <= len(items) <= 100:
        items[0] = {
            "amount": BATCH_AMOUNT,
            "currency": "usd",
            "payment_method_id": LASTING,
            "idempotency_key": str(uuid4()),
        }
    if path.startswith(CLOCKS) and MOMENT.fullmatch(str(body.get("frozen_time", ""))):
        CLOCK_NOW["time"] += CLOCK_STEP
        body["frozen_time"] = CLOCK_NOW["time"].isoformat()


def spare_what_lasts(case: Any) -> None:
    name = re.findall(r"{(\w+)}", case.operation.path)[-1]
    lasting, spare = LASTS.get(name, ("", ""))
    if case.path_parameters.get(name) in STOCK.get(lasting, ()):
        case.path_parameters = {**case.path_parameters, name: next(POOLS[spare])}


def with_lasting_method(body: dict[str, Any]) -> None:
    """Links hand on tokens that were used and methods that were detached by now."""
    if REFERENCE.fullmatch(str(body.get("hold_id", ""))):
        with_a_hold(body)
    instrument = body.get("payment_method_id")
    if isinstance(instrument, str) and OWN_INSTRUMENT.fullmatch(instrument) and next(TURNS):
        body["payment_method_id"] = LASTING
        if REFERENCE.fullmatch(str(body.get("customer_id", ""))):
            body["customer_id"] = STOCK["customers"][0]


def with_a_hold(body: dict[str, Any]) -> None:
    """A hold that was made up pays nothing: one of three draws on a real one, the rest on none."""
    if next(TURNS):
        del body["hold_id"]
    elif "currency" in body and "capture" in body:
        body |= {"hold_id": STOCK["holds"][0], "currency": "usd", "capture": True}
        body["payment_method_id"] = LASTING
        body.pop("customer_id", None)


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
    if value == STOCK["clocks"][0]:
        # A merchant has one clock at a time: the newest is asked for instead of the first.
        return (CREATED[CLOCKS] or STOCK["clocks"])[-1]
    found = SAMPLE_ID.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    prefix = found[1]
    return next(POOLS[POOL_BY_OPERATION.get((path, prefix), POOL_BY_PREFIX[prefix])])
