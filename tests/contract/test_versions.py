"""Answers, requests and documents of older versions."""

from collections.abc import Iterator
from copy import deepcopy
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import jsonschema_rs
import pytest

from contract.document import Node, operations_of, resolved
from contract.versions import registry, v2026_04_01
from contract.versions.registry import DATES, Rendering, event_renders, raised, renderings_of
from contract.versions.schemas import Reshape, kind_of
from domain.api_versions import PRESENT
from scripts.spec_lint import RULES, check_references, check_structure
from tests.document import DOCUMENT

OLD = "2025-09-15"
DOCUMENTS = registry.documents_by_date(DOCUMENT)
BEFORE = DOCUMENTS[OLD]
RENDERINGS = renderings_of(DOCUMENT, "gateway") | renderings_of(DOCUMENT, "vault")
RULES_OF_FORM = {f"scripts.spec_rules.{name}" for name in ("errors", "operations", "schemas")}
RULES_OF_FORM |= {"scripts.spec_rules.versions"}
# What a merchant may write itself, and what looks like ours.
DECOY = {"object": "payment", "id": "pay_1", "livemode": "no", "created_at": "never"}


def bodies() -> Iterator[tuple[str, int, Node, str, Any]]:
    """(operation, status, schema, name, value) of every JSON example of an answer."""
    for house in ("gateway", "vault"):
        for place in operations_of(DOCUMENT, house):
            for status, response in place.node["responses"].items():
                content = resolved(DOCUMENT, response).get("content", {})
                media = content.get("application/json", {})
                for name, example in media.get("examples", {}).items():
                    value = resolved(DOCUMENT, example)["value"]
                    operation_id = place.node["operationId"]
                    yield operation_id, int(status), media["schema"], name, value


BODIES = list(bodies())


def rendering(operation_id: str) -> Rendering:
    return RENDERINGS[operation_id][OLD]


def flat(value: Any, gone: bool = False) -> Any:
    """An answer of 2025-09-15 with its envelopes opened; with `gone` the new fields left out."""
    if isinstance(value, list):
        return [flat(each, gone) for each in value]
    if not isinstance(value, dict):
        return value
    hidden = v2026_04_01.NEW_FIELDS.get(str(value.get("object")), frozenset()) if gone else ()
    opened: dict[str, Any] = {}
    for name, each in value.items():
        if name == "data" and value.get("object") not in ("list", "event") and "id" in value:
            opened |= flat(each, gone)
        elif name not in hidden:
            opened[name] = flat(each, gone) if name != "metadata" else each
    return opened | ({"api_version": "any"} if value.get("object") == "event" else {})


def test_the_registry_the_document_and_the_present_agree() -> None:
    assert DATES[-1] == PRESENT == DOCUMENT["info"]["version"]
    assert DOCUMENT["components"]["schemas"]["ApiVersion"]["enum"] == list(DATES)
    for date, document in DOCUMENTS.items():
        assert document["info"]["version"] == date
        assert document["components"]["parameters"]["PaymintVersion"]["schema"]["const"] == date


@pytest.mark.parametrize(("operation_id", "status", "schema", "name", "value"), BODIES)
def test_every_answer_has_its_older_form(
    operation_id: str, status: int, schema: Node, name: str, value: Any
) -> None:
    older = rendering(operation_id)
    shown = older.render(status, value)
    document = {"components": {"schemas": BEFORE["components"]["schemas"]}}
    validator = jsonschema_rs.Draft202012Validator({**document, **schema}, validate_formats=True)
    validator.validate(shown)
    assert flat(shown) == flat(value, gone=True)
    if "error" in value:
        assert shown == value


def test_resources_stand_in_the_envelope() -> None:
    enveloped = {"payment", "refund", "customer", "payment_method", "webhook_endpoint", "token"}
    enveloped |= {"user", "session"}
    seen = set()
    for operation_id, status, _, _, value in BODIES:
        shown = rendering(operation_id).render(status, value)
        for each in shown.get("data", []) if shown.get("object") == "list" else [shown]:
            if each.keys() == {"object", "id", "data", "livemode", "created_at"}:
                seen.add(each["object"])
    enveloped |= {"merchant", "dispute", "api_key", "alert", "request_log", "event_delivery"}
    enveloped |= {"test_clock", "user", "session", "oauth_grant", "balance_transaction", "payout"}
    enveloped.add("hold")
    assert seen == enveloped


def test_a_payment_before() -> None:
    (value,) = DOCUMENT["components"]["schemas"]["Payment"]["examples"]
    shown = rendering("retrieve_payment").render(200, {**value, "metadata": DECOY})
    assert list(shown) == ["object", "id", "data", "livemode", "created_at"]
    assert shown["data"]["metadata"] == DECOY
    assert not {"amount_capturable", "pending_reason", "hold_id", "livemode"} & shown["data"].keys()
    assert shown["data"]["captured_at"] == value["captured_at"]


def test_a_list_before() -> None:
    value = DOCUMENT["components"]["examples"]["PaymentList"]["value"]
    shown = rendering("list_payments").render(200, value)
    assert list(shown) == ["object", "data", "has_more", "next_cursor", "total_count"]
    assert all("data" in item for item in shown["data"])


def test_an_event_keeps_its_form_and_names_its_version() -> None:
    value = DOCUMENT["components"]["examples"]["EventPaymentCaptured"]["value"]
    shown = event_renders(DOCUMENT)[OLD](value)
    assert list(shown) == list(value)
    assert shown["api_version"] == OLD
    inner = shown["data"]["object"]
    assert inner["id"] == value["data"]["object"]["id"] and inner["data"]["amount"] == 15000
    assert rendering("retrieve_event").render(200, value) == shown


def test_an_event_about_what_the_document_does_not_know_is_left_alone() -> None:
    value = DOCUMENT["components"]["examples"]["EventPaymentCaptured"]["value"]
    strange = {**value, "data": {"object": {"object": "unheard_of", "id": "x"}}}
    assert event_renders(DOCUMENT)[OLD](strange) == {**strange, "api_version": OLD}


def test_rendering_changes_nothing_of_what_it_is_given() -> None:
    for operation_id, status, _, _, value in BODIES:
        copy = deepcopy(value)
        rendering(operation_id).render(status, value)
        assert value == copy


def test_a_part_of_a_resource_is_put_into_the_envelope_as_it_is() -> None:
    part = {"object": "payment", "id": "pay_1", "amount": 100}
    shown = rendering("retrieve_payment").render(200, part)
    assert shown == {"object": "payment", "id": "pay_1", "data": {"amount": 100}}


def test_the_fields_a_version_does_not_know() -> None:
    unknown = frozenset({"amount_capturable", "hold_id", "pending_reason"})
    assert rendering("retrieve_payment").unknown_fields == unknown
    assert rendering("list_payments").unknown_fields == unknown
    assert rendering("retrieve_customer").unknown_fields == frozenset()


def test_requests_are_what_they_were() -> None:
    body = {"amount": 100}
    assert raised(OLD, "create_payment", body) is body


def test_the_older_document_follows_the_rules_and_is_openapi() -> None:
    assert list(check_references(BEFORE)) == list(check_structure(BEFORE)) == []
    rules = [rule for rule in RULES if rule.__module__ in RULES_OF_FORM]
    assert len(rules) >= len(RULES_OF_FORM)
    assert [finding for rule in rules for finding in rule(BEFORE)] == []
    answer = BEFORE["paths"]["/v1/payments"]["get"]["responses"]["200"]
    assert answer["headers"].keys() >= {"Deprecation", "Sunset", "Link"}
    assert "deprecated" in BEFORE["info"]["description"]
    assert "Deprecation" not in str(DOCUMENT["paths"])


def test_links_of_the_older_document_lead_through_the_envelope() -> None:
    moved, from_items = 0, 0
    for place in operations_of(BEFORE, "gateway"):
        for response in place.node["responses"].values():
            for link in resolved(BEFORE, response).get("links", {}).values():
                told = resolved(BEFORE, link)
                pointers = {**told.get("parameters", {}), **told.get("requestBody", {})}
                assert pointers
                for pointer in pointers.values():
                    field = pointer.removeprefix("$response.body#/")
                    assert field == "id" or field.startswith("data/"), pointer
                    moved += field != "id"
                    from_items += field == "data/0/payment/id"
    assert moved > from_items > 0


def test_a_further_version_is_one_more_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third version that renames a field, chained before the others."""
    later = further_version()
    document = deepcopy(DOCUMENT)
    customer = document["components"]["schemas"]["Customer"]
    customer["properties"]["full_name"] = customer["properties"].pop("name")
    customer["required"] = ["full_name" if n == "name" else n for n in customer["required"]]
    for name in (example["full_name"] for example in renamed(document)):
        assert name
    document["info"]["version"] = later.DATE
    monkeypatch.setattr(registry, "VERSIONS", (*registry.VERSIONS, later))
    monkeypatch.setattr(registry, "DATES", (*DATES, later.DATE))
    monkeypatch.setattr(registry, "OLDER_DATES", DATES)
    monkeypatch.setattr(registry, "PRESENT", later.DATE)
    documents = registry.documents_by_date(document)
    assert list(documents) == [later.DATE, PRESENT, OLD]
    assert documents[PRESENT]["components"]["schemas"]["Customer"]["properties"].keys() >= {"name"}
    assert "name" in documents[OLD]["components"]["schemas"]["CustomerData"]["properties"]
    value = {"object": "customer", "id": "cus_1", "full_name": "Ada", "livemode": False}
    value |= {"created_at": "2026-10-01T00:00:00.000Z"}
    chained = registry.renderings_of(document, "gateway")["retrieve_customer"]
    assert chained[PRESENT].render(200, value)["name"] == "Ada"
    assert chained[OLD].render(200, value)["data"] == {"name": "Ada"}
    assert chained[OLD].unknown_fields == {"full_name"}
    asked = registry.raised(OLD, "create_customer", {"name": "Ada"})
    assert asked == {"full_name": "Ada"}
    assert registry.raised(later.DATE, "create_customer", asked) is asked


def renamed(document: Node) -> Iterator[dict[str, Any]]:
    """The customers in the document's examples, after their field was renamed."""
    schemas, examples = document["components"]["schemas"], document["components"]["examples"]
    found = [*schemas["Customer"]["examples"], examples["Customer"]["value"]]
    found += examples["CustomerList"]["value"]["data"]
    for value in found:
        if "name" in value:
            value["full_name"] = value.pop("name")
            yield value


def further_version() -> ModuleType:
    """A version that calls a customer's `name` by `full_name`."""
    changed = {"full_name": "name"}

    def down(schema: Node) -> Reshape | None:
        if kind_of(schema) != "customer":
            return None
        return lambda shown: {changed.get(name, name): each for name, each in shown.items()}

    def down_schema(name: str, schema: Node) -> dict[str, Node]:
        told = {changed.get(key, key): each for key, each in schema["properties"].items()}
        required = [changed.get(key, key) for key in schema["required"]]
        if kind_of(schema) != "customer":
            return {name: schema}
        return {name: {**schema, "properties": told, "required": required}}

    def up(operation_id: str, body: Any) -> Any:
        if operation_id != "create_customer" or not isinstance(body, dict):
            return body
        return {"full_name" if name == "name" else name: each for name, each in body.items()}

    def hidden(schema: Node) -> frozenset[str]:
        return frozenset(changed) if kind_of(schema) == "customer" else frozenset()

    version = SimpleNamespace(
        DATE="2026-10-01",
        LIFE=None,
        DESCRIPTIONS_BEFORE={},
        ENVELOPE=(),
        is_enveloped=lambda schema: False,
        up=up,
        down=down,
        down_schema=down_schema,
        hidden=hidden,
    )
    return cast(ModuleType, version)
