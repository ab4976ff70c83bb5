"""Keys: made with what their maker may do, rolled, suspended, revoked, bound to networks."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.ids import from_text
from tests.journeys.accounts import approve, new_key, operate, take_live_keys, using
from tests.serving import eventually
from tests.shop import VISA, Merchant, Shop, card, error, told

# "Revoked means refused within a second everywhere", and what a busy machine adds to it; nobody
# looks a key up again by himself within the minute.
SECOND = 3.0
OVERLAP_SECONDS = 4
EXPIRES_AFTER_SECONDS = 3.0


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def refused_within_a_second(merchant: Merchant) -> tuple[int, str, str | None]:
    """The refusal that a key comes to."""
    eventually(lambda: merchant.ask("GET", "/v1/payments").status_code == 401, SECOND)
    return error(merchant.ask("GET", "/v1/payments"))


def token_refused_within_a_second(merchant: Merchant) -> tuple[int, str, str | None]:
    eventually(lambda: merchant.token_answer(card(VISA)).status_code == 401, SECOND)
    return error(merchant.token_answer(card(VISA)))


def test_a_key_is_made_used_and_shown_without_its_secret(merchant: Merchant) -> None:
    idempotency_key = str(uuid4())
    body = {"name": "Reports", "type": "secret", "scopes": ["payments:read"]}
    made = told(merchant.ask("POST", "/v1/api_keys", body, key=idempotency_key), 201)
    assert re.fullmatch(r"sk_test_[A-Za-z0-9]+", made["secret"])
    assert made["display"] == f"sk_test_...{made['secret'][-4:]}"
    shown = {**made, "secret": None}
    replay = merchant.ask("POST", "/v1/api_keys", body, key=idempotency_key)
    assert replay.json() == shown and replay.headers["idempotent-replayed"] == "true"
    assert merchant.get(f"/v1/api_keys/{made['id']}") == shown
    page = merchant.get("/v1/api_keys")
    assert page["total_count"] == len(page["data"]) == 3
    assert page["data"][0] == shown
    reader = using(merchant, made)
    assert reader.get("/v1/payments")["data"] == []
    assert error(reader.pay_answer("tok_1")) == (403, "insufficient_scope", None)
    assert error(reader.ask("GET", "/v1/api_keys")) == (403, "insufficient_scope", None)
    with_secret = [key for key in page["data"] if key["secret"] is not None]
    assert [key["type"] for key in with_secret] == ["publishable"]
    assert with_secret[0]["secret"] == merchant.publishable_key


def test_keys_are_paged_and_filtered(merchant: Merchant) -> None:
    made = [new_key(merchant, name=f"Key {number}")["id"] for number in range(4)]
    first = merchant.get("/v1/api_keys", limit=3, type="secret")
    rest = merchant.get("/v1/api_keys", limit=3, type="secret", starting_after=first["next_cursor"])
    ids = [key["id"] for key in first["data"] + rest["data"]]
    assert ids[:4] == made[::-1] and len(ids) == 5 and first["total_count"] is None
    other = merchant.ask("GET", "/v1/api_keys", params={"merchant_id": f"mch_{uuid4().hex}"})
    assert error(other) == (404, "resource_missing", "merchant_id")
    assert merchant.get("/v1/api_keys", merchant_id=merchant.id)["total_count"] == 6


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"scopes": ["platform:admin"]}, (400, "parameter_invalid_enum", "scopes[0]")),
        ({"scopes": []}, (400, "parameter_too_few_items", "scopes")),
        ({"type": "publishable"}, (400, "parameter_unknown", None)),
        ({"type": "platform"}, (400, "parameter_invalid_enum", "type")),
        ({"expires_at": "2020-01-01T00:00:00Z"}, (400, "parameter_invalid", "expires_at")),
        ({"ip_allowlist": ["10.0.0.1/8"]}, (400, "parameter_invalid", "ip_allowlist[0]")),
        ({"ip_allowlist": ["localhost"]}, (400, "parameter_invalid_format", "ip_allowlist[0]")),
        ({"ip_allowlist": []}, (400, "parameter_too_few_items", "ip_allowlist")),
        ({"merchant_id": "mch_1"}, (404, "resource_missing", "merchant_id")),
    ],
)
def test_what_no_key_is_made_of(
    merchant: Merchant, change: dict[str, Any], refused: tuple[int, str, str | None]
) -> None:
    body = {"name": "Reports", "type": "secret", "scopes": ["payments:read"], **change}
    assert error(merchant.ask("POST", "/v1/api_keys", body)) == refused


def test_a_secret_key_needs_scopes_and_a_publishable_one_takes_no_networks(
    merchant: Merchant,
) -> None:
    body: dict[str, Any] = {"name": "Nothing", "type": "secret"}
    assert error(merchant.ask("POST", "/v1/api_keys", body)) == (400, "parameter_missing", "scopes")
    body = {"name": "Till", "type": "publishable", "ip_allowlist": ["10.0.0.0/8"]}
    answer = merchant.ask("POST", "/v1/api_keys", body)
    assert error(answer) == (400, "parameter_unknown", None)


def test_another_merchants_key_is_missing(merchant: Merchant, rival: Merchant) -> None:
    key = new_key(merchant)["id"]
    paths: list[tuple[str, str, Any]]
    paths = [("GET", f"/v1/api_keys/{key}", None), ("DELETE", f"/v1/api_keys/{key}", None)]
    paths += [("POST", f"/v1/api_keys/{key}/roll", {"overlap_seconds": 0})]
    for method, path, body in paths:
        answer = rival.ask(method, path, body)
        assert error(answer) == (404, "resource_missing", "api_key_id")
    for action in ("suspend", "resume"):
        answer = rival.ask("POST", f"/v1/api_keys/{key}/{action}")
        assert error(answer) == (403, "insufficient_scope", None)
    assert merchant.get(f"/v1/api_keys/{key}")["status"] == "active"


def test_modes_make_and_see_their_own_keys(shop: Shop, merchant: Merchant) -> None:
    approve(shop, merchant)
    live = take_live_keys(merchant)
    of_test, of_live = new_key(merchant), new_key(live)
    assert (of_test["livemode"], of_live["livemode"]) == (False, True)
    assert of_live["secret"].startswith("sk_live_")
    for owner, key in ((merchant, of_live), (live, of_test)):
        assert error(owner.ask("GET", f"/v1/api_keys/{key['id']}"))[0] == 404
        assert error(owner.ask("DELETE", f"/v1/api_keys/{key['id']}"))[0] == 404
    assert {key["livemode"] for key in live.get("/v1/api_keys")["data"]} == {True}
    both = told(operate(shop, "GET", "/v1/api_keys", merchant_id=merchant.id), 200)
    assert {key["livemode"] for key in both["data"]} == {True, False}
    unnamed = operate(shop, "GET", "/v1/api_keys")
    assert error(unnamed) == (404, "resource_missing", "merchant_id")


def test_a_revoked_key_is_refused_within_a_second(merchant: Merchant) -> None:
    key = new_key(merchant)
    user = using(merchant, key)
    user.get("/v1/payments")
    gone = told(merchant.ask("DELETE", f"/v1/api_keys/{key['id']}"), 200)
    assert gone == {"object": "api_key", "id": key["id"], "deleted": True}
    assert refused_within_a_second(user) == (401, "api_key_revoked", None)
    for method in ("GET", "DELETE"):
        assert error(merchant.ask(method, f"/v1/api_keys/{key['id']}"))[:2] == (
            404,
            "resource_missing",
        )
    assert key["id"] not in [each["id"] for each in merchant.get("/v1/api_keys")["data"]]


def test_nobody_revokes_the_last_key_that_could_make_another(merchant: Merchant) -> None:
    secret = next(key for key in merchant.get("/v1/api_keys")["data"] if key["type"] == "secret")
    new_key(merchant)
    answer = merchant.ask("DELETE", f"/v1/api_keys/{secret['id']}")
    assert error(answer) == (422, "api_key_last_admin", None)
    second = new_key(merchant, scopes=["merchant:admin"])
    told(merchant.ask("DELETE", f"/v1/api_keys/{secret['id']}"), 200)
    assert refused_within_a_second(merchant) == (401, "api_key_revoked", None)
    last = using(merchant, second).ask("DELETE", f"/v1/api_keys/{second['id']}")
    assert error(last) == (422, "api_key_last_admin", None)


def test_two_keys_cannot_revoke_each_other_at_once(merchant: Merchant) -> None:
    secret = next(key for key in merchant.get("/v1/api_keys")["data"] if key["type"] == "secret")
    second = new_key(merchant, scopes=["merchant:admin"])
    other = using(merchant, second)
    other.get("/v1/payments")
    pairs = ((merchant, second["id"]), (other, secret["id"]))
    with ThreadPoolExecutor(len(pairs)) as threads:
        answers = list(threads.map(lambda p: p[0].ask("DELETE", f"/v1/api_keys/{p[1]}"), pairs))
    # The loser is told that its key is the last one, or is refused as revoked already.
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200 and statuses[1] in (401, 404, 422)


def test_a_rolled_key_works_until_the_overlap_is_over(merchant: Merchant) -> None:
    old = new_key(merchant, ip_allowlist=["127.0.0.0/8"])
    path, body = f"/v1/api_keys/{old['id']}/roll", {"overlap_seconds": OVERLAP_SECONDS}
    rolled_at = time.monotonic()
    idempotency_key = str(uuid4())
    new = told(merchant.ask("POST", path, body, key=idempotency_key), 201)
    same = ("name", "type", "scopes", "ip_allowlist", "livemode", "expires_at")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert new["id"] != old["id"] and new["secret"] != old["secret"]
    replay = merchant.ask("POST", path, body, key=idempotency_key)
    assert replay.json() == {**new, "secret": None}
    using(merchant, new).get("/v1/payments")
    using(merchant, old).get("/v1/payments")
    assert time.monotonic() - rolled_at < OVERLAP_SECONDS
    time.sleep(OVERLAP_SECONDS)
    answer = using(merchant, old).ask("GET", "/v1/payments")
    assert error(answer) == (401, "api_key_expired", None)
    using(merchant, new).get("/v1/payments")
    assert merchant.get(f"/v1/api_keys/{old['id']}")["status"] == "expired"
    again = merchant.ask("POST", path, body)
    assert error(again) == (422, "api_key_unexpected_state", None)


def test_a_rolled_key_is_an_alert_until_it_is_revoked(shop: Shop, merchant: Merchant) -> None:
    old = new_key(merchant)
    path = f"/v1/api_keys/{old['id']}"
    told(merchant.ask("POST", f"{path}/roll", {"overlap_seconds": 3600}), 201)
    with shop.database() as database:
        question = "SELECT type, resolved_at IS NULL FROM alerts WHERE subject = %s"
        assert database.execute(question, [old["id"]]).fetchall() == [
            ("api_key_revoked_soon", True)
        ]
        told(merchant.ask("DELETE", path), 200)
        found = database.execute(question, [old["id"]]).fetchall()
    assert found == [("api_key_revoked_soon", False)]


def test_a_key_is_rolled_at_once_and_by_itself(merchant: Merchant) -> None:
    page = merchant.get("/v1/api_keys", type="secret")
    path = f"/v1/api_keys/{page['data'][0]['id']}/roll"
    new = using(merchant, told(merchant.ask("POST", path, {"overlap_seconds": 0}), 201))
    assert refused_within_a_second(merchant) == (401, "api_key_expired", None)
    new.get("/v1/api_keys")


def test_there_are_at_most_a_hundred_keys(shop: Shop, merchant: Merchant) -> None:
    key = new_key(merchant)
    with shop.database() as database:
        database.execute(
            "INSERT INTO api_keys (id, merchant_id, livemode, type, name, secret_hash, display,"
            " scopes, created_at) SELECT gen_random_uuid(), merchant_id, livemode, type, name,"
            " secret_hash, display, scopes, created_at FROM api_keys, generate_series(1, 97)"
            " WHERE id = %s",
            [from_text("key", key["id"])],
        )
    assert merchant.get("/v1/api_keys")["total_count"] == 100
    full = (422, "api_key_limit", None)
    body = {"name": "One more", "type": "publishable"}
    assert error(merchant.ask("POST", "/v1/api_keys", body)) == full
    path = f"/v1/api_keys/{key['id']}"
    assert error(merchant.ask("POST", f"{path}/roll", {"overlap_seconds": 0})) == full
    told(merchant.ask("DELETE", path), 200)
    told(merchant.ask("POST", "/v1/api_keys", body), 201)


def test_a_publishable_key_outlives_a_roll_that_was_refused(merchant: Merchant) -> None:
    body = {"name": "Checkout", "type": "publishable"}
    key = told(merchant.ask("POST", "/v1/api_keys", body), 201)
    while merchant.ask("POST", "/v1/api_keys", body).status_code == 201:
        pass
    refused = merchant.ask("POST", f"/v1/api_keys/{key['id']}/roll", {"overlap_seconds": 0})
    assert error(refused) == (422, "api_key_limit", None)
    merchant.publishable_key = key["secret"]
    assert told(merchant.ask("GET", f"/v1/api_keys/{key['id']}"), 200)["status"] == "active"
    # The vault looks a key up again after a second at the latest.
    time.sleep(1.1)
    assert told(merchant.token_answer(card()), 201)["object"] == "token"


def test_a_key_expires(merchant: Merchant) -> None:
    key = new_key(merchant, expires_at=soon(EXPIRES_AFTER_SECONDS))
    user = using(merchant, key)
    user.get("/v1/payments")
    time.sleep(EXPIRES_AFTER_SECONDS)
    assert error(user.ask("GET", "/v1/payments")) == (401, "api_key_expired", None)


def test_the_operator_suspends_and_resumes(shop: Shop, merchant: Merchant) -> None:
    key = new_key(merchant)
    user, path = using(merchant, key), f"/v1/api_keys/{key['id']}"
    user.get("/v1/payments")
    idempotency_key = str(uuid4())
    suspended = told(operate(shop, "POST", f"{path}/suspend", key=idempotency_key), 200)
    assert suspended["status"] == "suspended"
    assert refused_within_a_second(user) == (401, "api_key_suspended", None)
    assert merchant.get(path)["status"] == "suspended"
    assert error(merchant.ask("POST", f"{path}/roll", {"overlap_seconds": 0})) == (
        422,
        "api_key_unexpected_state",
        None,
    )
    replay = operate(shop, "POST", f"{path}/suspend", key=idempotency_key)
    assert replay.headers["idempotent-replayed"] == "true"
    assert told(operate(shop, "POST", f"{path}/resume"), 200)["status"] == "active"
    assert eventually(lambda: user.ask("GET", "/v1/payments").status_code == 200, SECOND)
    assert told(operate(shop, "GET", path), 200)["id"] == key["id"]


def test_a_key_is_bound_to_its_networks(merchant: Merchant) -> None:
    inside = new_key(merchant, ip_allowlist=["127.0.0.1", "2001:db8::/32"])
    assert inside["ip_allowlist"] == ["127.0.0.1/32", "2001:db8::/32"]
    using(merchant, inside).get("/v1/payments")
    outside = using(merchant, new_key(merchant, ip_allowlist=["203.0.113.0/24"]))
    for method, path in (("GET", "/v1/payments"), ("POST", "/v1/customers")):
        assert error(outside.ask(method, path)) == (403, "ip_not_allowed", None)


def test_publishable_keys_live_and_die_at_the_vault(shop: Shop, merchant: Merchant) -> None:
    body = {"name": "Till", "type": "publishable"}
    made = told(merchant.ask("POST", "/v1/api_keys", body), 201)
    path = f"/v1/api_keys/{made['id']}"
    till = Merchant(merchant.id, merchant.secret_key, made["secret"], "", shop.http, shop.vault)
    assert till.pay()["status"] == "captured"
    told(operate(shop, "POST", f"{path}/suspend"), 200)
    assert token_refused_within_a_second(till) == (401, "api_key_suspended", None)
    told(operate(shop, "POST", f"{path}/resume"), 200)
    assert eventually(lambda: till.token_answer(card(VISA)).status_code == 201, SECOND)

    rolled = told(merchant.ask("POST", f"{path}/roll", {"overlap_seconds": 1}), 201)
    new = Merchant(merchant.id, merchant.secret_key, rolled["secret"], "", shop.http, shop.vault)
    new.tokenise()
    time.sleep(1)
    assert token_refused_within_a_second(till) == (401, "api_key_expired", None)
    told(merchant.ask("DELETE", f"/v1/api_keys/{rolled['id']}"), 200)
    assert token_refused_within_a_second(new) == (401, "api_key_revoked", None)
    merchant.tokenise()
