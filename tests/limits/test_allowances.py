"""Who is counted together: merchant, mode and tier; an OAuth client for each merchant."""

from dataclasses import replace
from uuid import uuid4

from domain.allowances import of_caller, of_newcomer, of_publishable_key, of_visitor
from domain.callers import Caller
from domain.rate_limits import rules_of
from tests.document import DOCUMENT
from tests.gateway.door import caller

TEST = caller()


def together(first: Caller, second: Caller) -> bool:
    return of_caller(first).bucket == of_caller(second).bucket


def test_keys_of_a_merchant_share_a_bucket_and_not_their_conduct() -> None:
    other = replace(TEST, key_id=uuid4())
    assert together(TEST, other)
    assert of_caller(TEST).conduct != of_caller(other).conduct


def test_modes_merchants_and_tiers_are_apart() -> None:
    client = replace(TEST, kind="oauth", client_id=uuid4())
    others = [
        replace(TEST, livemode=True),
        replace(TEST, merchant_id=uuid4()),
        client,
        replace(client, client_id=uuid4()),
        replace(client, merchant_id=uuid4()),
        replace(client, livemode=True),
    ]
    names = {of_caller(each).bucket for each in (TEST, *others)}
    assert len(names) == len(others) + 1
    assert together(client, replace(client, key_id=uuid4()))


def test_each_kind_of_caller_has_its_tier() -> None:
    for asks, tier in (
        (TEST, "test"),
        (replace(TEST, livemode=True), "live"),
        (replace(TEST, kind="oauth", client_id=uuid4()), "oauth"),
        (replace(TEST, kind="platform"), "platform"),
    ):
        assert of_caller(asks).rules == rules_of(tier)
        negotiated = replace(asks, rate_limit_multiplier=7)
        assert of_caller(negotiated).rules == rules_of(tier, 7)


def test_both_names_of_a_caller_are_on_one_shard() -> None:
    address = "198.51.100.1"
    for allowance in (
        of_caller(TEST),
        of_caller(replace(TEST, kind="oauth", client_id=uuid4())),
        of_publishable_key("pk_test_x", address, 1),
        of_visitor(address, 600),
        of_newcomer(address, 20),
    ):
        tags = {name.partition("{")[2].partition("}")[0] for name in allowance[:2]}
        assert len(tags) == 1 and tags != {""}
    assert of_caller(TEST).bucket.startswith(f"limit:{{{TEST.merchant_id.hex}}}")


def test_whatever_is_limited_may_be_shed() -> None:
    for item in DOCUMENT["paths"].values():
        for node in item.values():
            if isinstance(node, dict) and node.get("x-rate-limit", "none") != "none":
                assert {"service_unavailable", "rate_limited"} <= set(node["x-errors"])
