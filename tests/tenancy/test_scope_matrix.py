"""Every secured operation and every kind of caller, over HTTP, against the document.

What a caller may do is computed from `security` and `x-scope-grants` alone, so an operation
or scope that is added is asked here without anybody remembering it.  "Admitted" is any answer
but 401 and 403; a 403 that speaks of mode or account, not of the key, is one of those that
the operation declares.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.document import DOCUMENT
from tests.journeys.accounts import approve, new_key, operate, take_live_keys, using
from tests.oauth.partner import Partner, register
from tests.people import sign_in
from tests.shop import Merchant, Shop, bearer, told

METHODS = ("get", "post", "put", "patch", "delete")
SCHEMES = DOCUMENT["components"]["securitySchemes"]
KEYS_SCHEME, TOKENS_SCHEME = SCHEMES["SecretKey"], SCHEMES["AccessToken"]
GRANTS: dict[str, list[str]] = KEYS_SCHEME["x-scope-grants"]
SCOPES: list[str] = DOCUMENT["components"]["schemas"]["ApiKeyScope"]["enum"]
OPERATORS = "platform:admin"
ACCOUNT = "account:manage"
# What tokens are granted; `account:manage` only to an application of ours.
TOKEN_SCOPES: list[str] = list(TOKENS_SCHEME["flows"]["authorizationCode"]["scopes"])
FEWEST_OPERATIONS = 55
# 403s that come after the key and its scopes were found good.
NOT_OF_THE_KEY = {"test_mode_only", "live_key_required", "merchant_not_active"}
ADMITTED = "admitted"
REFUSED = {
    "no key": "401 api_key_missing",
    "no such key": "401 api_key_invalid",
    "expired": "401 api_key_expired",
    "revoked": "401 api_key_revoked",
    "suspended": "401 api_key_suspended",
    "publishable": "403 key_kind_forbidden",
}


@dataclass(frozen=True)
class Operation:
    """One secured operation, and the alternatives that a kind of credential has."""

    name: str
    method: str
    path: str
    node: dict[str, Any]

    @property
    def at_the_vault(self) -> bool:
        return bool(self.node["x-house"] == "vault")

    def alternatives(self, scheme: str = "SecretKey") -> list[set[str]]:
        return [set(each[scheme]) for each in self.node["security"] if scheme in each]


SECURED = [
    Operation(item[method]["operationId"], method.upper(), path, item[method])
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item and item[method]["security"]
]
by_operation = pytest.mark.parametrize("operation", SECURED, ids=lambda each: each.name)


@dataclass(frozen=True)
class Caller:
    """A key or an access token, and the scopes it was given; `key` is None for nobody's."""

    name: str
    key: str | None
    scopes: frozenset[str] = frozenset()
    scheme: str = "SecretKey"


def held(scopes: frozenset[str]) -> set[str]:
    """The scopes and all that they grant, through any number of grants."""
    found = set(scopes)
    while more := {granted for each in found for granted in GRANTS.get(each, ())} - found:
        found |= more
    return found


def promised(operation: Operation, caller: Caller) -> str:
    """What the document says: `admitted`, or the status and code of the refusal."""
    if operation.at_the_vault:
        return _promised_by_the_vault(caller)
    if caller.name in REFUSED:
        return REFUSED[caller.name]
    alternatives = operation.alternatives(caller.scheme)
    if any(needed <= held(caller.scopes) for needed in alternatives):
        return ADMITTED
    # Where none of its kind is taken, the credential is of the wrong kind.
    return "403 insufficient_scope" if alternatives else "403 key_kind_forbidden"


def _promised_by_the_vault(caller: Caller) -> str:
    if caller.name == "publishable":
        return ADMITTED
    if caller.scheme == "AccessToken":
        # The vault knows publishable keys, and tells other keys by their form alone.
        return REFUSED["no such key"]
    return REFUSED["no key"] if caller.key is None else "403 key_kind_forbidden"


def outcome(operation: Operation, answer: httpx.Response) -> str:
    """What came of a request, in the words of `promised`."""
    if answer.status_code not in (401, 403):
        return ADMITTED
    code = answer.json()["error"]["code"]
    assert code in operation.node["x-errors"]
    if code in NOT_OF_THE_KEY:
        return ADMITTED
    return f"{answer.status_code} {code}"


def ask(
    shop: Shop, operation: Operation, key: str | None, path: str | None = None
) -> httpx.Response:
    """The operation with an empty body; without `path`, of an id that nobody has."""
    headers = {"Idempotency-Key": str(uuid4())} | ({} if key is None else bearer(key))
    body = operation.node.get("requestBody")
    sent: dict[str, Any] = {}
    if body is not None:
        (media_type,) = body["content"]
        sent = {"json" if media_type == "application/json" else "data": {}}
    door = shop.vault if operation.at_the_vault else shop.http
    path = path or operation.path.replace("{", "").replace("}", "")
    return door.request(operation.method, path, headers=headers, **sent)


@pytest.fixture(scope="module")
def owner(shop: Shop) -> Merchant:
    """A merchant in both modes; this is its test key."""
    made = shop.open_account()
    approve(shop, made)
    return made


@pytest.fixture(scope="module")
def live_owner(owner: Merchant) -> Merchant:
    return take_live_keys(owner)


@pytest.fixture(scope="module")
def callers(shop: Shop, owner: Merchant, live_owner: Merchant) -> list[Caller]:
    """Everybody who could ask."""
    made = [
        Caller(scope, new_key(owner, scopes=[scope], name=scope)["secret"], frozenset({scope}))
        for scope in SCOPES
    ]
    every = frozenset(SCOPES)
    return [
        *made,
        *token_callers(shop, live_owner),
        Caller("all scopes", new_key(owner, scopes=SCOPES)["secret"], every),
        Caller("live", live_owner.secret_key, frozenset({"merchant:admin"})),
        Caller("live reader", new_key(live_owner)["secret"], frozenset({"payments:read"})),
        Caller("other merchant", shop.open_account().secret_key, frozenset({"merchant:admin"})),
        Caller("platform", shop.platform_key, frozenset({OPERATORS})),
        Caller("no key", None),
        Caller("no such key", owner.secret_key[:-8] + "AAAAAAAA"),
        Caller("publishable", owner.publishable_key),
        Caller("expired", expired(shop, owner)),
        Caller("revoked", revoked(owner)),
        Caller("suspended", suspended(shop, owner)),
    ]


def token_callers(shop: Shop, merchant: Merchant) -> Iterator[Caller]:
    """An access token of each scope, of somebody who has just given a second factor."""
    person = sign_in(shop, merchant)
    for scope in TOKEN_SCOPES:
        client = register(shop, scopes=[scope], first_party=scope == ACCOUNT)
        token = Partner(shop, person, client).grant()["access_token"]
        yield Caller(f"token: {scope}", token, frozenset({scope}), "AccessToken")


def expired(shop: Shop, owner: Merchant) -> str:
    """A key whose time was over before anybody used it."""
    made = new_key(owner, name="Expired", scopes=SCOPES)
    with shop.database() as database:
        changed = database.execute(
            "UPDATE api_keys SET created_at = now() - interval '2 days',"
            " expires_at = now() - interval '1 day' WHERE display = %s AND name = 'Expired'",
            [made["display"]],
        )
        assert changed.rowcount == 1
    return str(made["secret"])


def revoked(owner: Merchant) -> str:
    made = new_key(owner, scopes=SCOPES)
    told(owner.ask("DELETE", f"/v1/api_keys/{made['id']}"), 200)
    return str(made["secret"])


def suspended(shop: Shop, owner: Merchant) -> str:
    made = new_key(owner, scopes=SCOPES)
    told(operate(shop, "POST", f"/v1/api_keys/{made['id']}/suspend"), 200)
    return str(made["secret"])


def test_the_matrix_has_every_operation_and_scope() -> None:
    assert len(SECURED) >= FEWEST_OPERATIONS
    assert set(SCOPES) | {OPERATORS} <= GRANTS.keys()
    assert {scope for each in SECURED for s in each.alternatives() for scope in s} <= GRANTS.keys()
    asked = {scope for each in SECURED for s in each.alternatives("AccessToken") for scope in s}
    assert asked <= set(TOKEN_SCOPES)


@by_operation
def test_who_may_ask_for_it(shop: Shop, callers: list[Caller], operation: Operation) -> None:
    answers = {each.name: outcome(operation, ask(shop, operation, each.key)) for each in callers}
    assert answers == {each.name: promised(operation, each) for each in callers}


def test_every_line_of_the_matrix_says_both_yes_and_no(callers: list[Caller]) -> None:
    """Against a computation that admits all, or none."""
    for caller in callers:
        said = {promised(operation, caller) == ADMITTED for operation in SECURED}
        if caller.name == "publishable" or caller.name not in REFUSED:
            assert said == {True, False}, caller.name
        else:
            assert said == {False}


def test_everybody_was_told_apart_by_the_key_alone(shop: Shop, callers: list[Caller]) -> None:
    """The refused keys have all scopes, and a neighbour with the same scopes is admitted."""
    listing = next(each for each in SECURED if each.name == "list_payments")
    told_apart = {each.name: ask(shop, listing, each.key).status_code for each in callers}
    assert told_apart["all scopes"] == told_apart["live"] == 200
    assert {told_apart[name] for name in ("expired", "revoked", "suspended")} == {401}


# Test data for a live key, and live data for a test key.


def stock(merchant: Merchant) -> dict[str, str]:
    """An id for each path parameter that both modes have."""
    endpoint = merchant.endpoint("https://shop.example.com/hook")["id"]
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer), 201)["id"]
    payment = merchant.pay(method)["id"]
    return {
        "customer_id": customer,
        "payment_method_id": method,
        "payment_id": payment,
        "refund_id": merchant.refund(payment, amount=1)["id"],
        "webhook_endpoint_id": endpoint,
        "api_key_id": merchant.get("/v1/api_keys")["data"][0]["id"],
        "event_id": merchant.events()[-1]["id"],
    }


@pytest.fixture(scope="module")
def worlds(owner: Merchant, live_owner: Merchant) -> dict[str, tuple[Merchant, dict[str, str]]]:
    """For each mode the key of the other one, and what there is in it."""
    return {"test": (live_owner, stock(owner)), "live": (owner, stock(live_owner))}


def with_stock() -> Iterator[Operation]:
    known = {"customer_id", "payment_method_id", "payment_id", "refund_id", "event_id"}
    known |= {"webhook_endpoint_id", "api_key_id"}
    for operation in SECURED:
        names = {part.strip("{}") for part in operation.path.split("/") if part.startswith("{")}
        if names and names <= known and {"merchant:admin"} & held_by_admin(operation):
            yield operation


def held_by_admin(operation: Operation) -> set[str]:
    """`merchant:admin` where it may ask the operation."""
    admin = frozenset({"merchant:admin"})
    return set(admin) if any(n <= held(admin) for n in operation.alternatives()) else set()


@pytest.mark.parametrize("mode", ["test", "live"])
@pytest.mark.parametrize("operation", list(with_stock()), ids=lambda each: each.name)
def test_a_key_finds_nothing_of_the_other_mode(
    shop: Shop,
    worlds: dict[str, tuple[Merchant, dict[str, str]]],
    operation: Operation,
    mode: str,
) -> None:
    asker, ids = worlds[mode]
    body = example(operation)
    answer = asker.ask(operation.method, operation.path.format(**ids), body, key=str(uuid4()))
    shown = (answer.status_code, answer.json()["error"]["code"])
    assert shown in ((404, "resource_missing"), (403, "test_mode_only"))
    assert shown[0] == 404 or "test_mode_only" in operation.node["x-errors"]


def example(operation: Operation) -> Any:
    """The document's example of the body, None where there is none."""
    if "requestBody" not in operation.node:
        return None
    given = next(iter(operation.node["requestBody"]["content"].values()))["examples"]
    first = next(iter(given.values()))
    if "$ref" in first:
        first = DOCUMENT["components"]["examples"][first["$ref"].rsplit("/", 1)[1]]
    return first["value"]


@pytest.mark.parametrize("mode", ["test", "live"])
def test_lists_and_bodies_of_one_mode_know_nothing_of_the_other(
    worlds: dict[str, tuple[Merchant, dict[str, str]]], mode: str
) -> None:
    asker, ids = worlds[mode]
    for path in ("/v1/payments", "/v1/customers", "/v1/events", "/v1/webhook_endpoints"):
        shown = asker.ask("GET", path, params={"limit": 100}).text
        assert not [value for value in ids.values() if value in shown]
    for field, value in (("payment_method_id", ids["payment_method_id"]),):
        answer = asker.pay_answer(value)
        assert (answer.status_code, answer.json()["error"]["param"]) == (404, field)
    answer = asker.pay_answer(asker.tokenise(), customer_id=ids["customer_id"])
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "customer_id")


def test_what_was_asked_for_across_the_modes_is_unchanged(
    owner: Merchant, live_owner: Merchant, worlds: dict[str, tuple[Merchant, dict[str, str]]]
) -> None:
    for merchant, mode in ((owner, "test"), (live_owner, "live")):
        ids = worlds[mode][1]
        assert merchant.payment(ids["payment_id"])["status"] == "captured"
        assert merchant.get(f"/v1/customers/{ids['customer_id']}")["id"] == ids["customer_id"]
        key = next(
            k
            for k in merchant.get("/v1/api_keys", limit=100)["data"]
            if k["id"] == ids["api_key_id"]
        )
        assert key["id"] == ids["api_key_id"]


def test_a_key_of_few_scopes_makes_none_of_more(owner: Merchant) -> None:
    """Mass assignment by another door: a key with `merchant:admin` alone makes keys."""
    for scope in SCOPES:
        user = using(owner, new_key(owner, scopes=[scope]))
        answer = user.ask("POST", "/v1/api_keys", {"name": "x", "type": "secret", "scopes": SCOPES})
        assert answer.status_code == (201 if scope == "merchant:admin" else 403)
