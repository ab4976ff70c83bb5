"""Every code of the catalogue is given by a real request, as the document says."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contract.document import resolved
from generated.error_codes import CATALOGUE
from tests.document import DOCUMENT
from tests.errors.scene import Recipe, Scene, all_recipes
from tests.shop import VISA, error

METHODS = ("get", "post", "put", "patch", "delete")
OPERATIONS = {
    item[method]["operationId"]: item[method]
    for item in DOCUMENT["paths"].values()
    for method in METHODS
    if method in item
}
RECIPES = all_recipes()
# What servers and security put on every answer; the document declares what a client acts on.
EVERYWHERE = {
    *("content-type", "content-length", "date", "server", "vary", "connection"),
    *("x-content-type-options", "content-security-policy", "referrer-policy"),
    "strict-transport-security",
}
SECONDS = "[1-9][0-9]*"
# What a client acts on beside the code (blueprint section 6); no other refusal carries these.
TELLING: dict[int | str, tuple[str, str]] = {
    401: ("www-authenticate", 'Bearer realm="paymint"'),
    405: ("allow", "GET, HEAD, OPTIONS, POST"),
    429: ("retry-after", SECONDS),
    503: ("retry-after", SECONDS),
    "idempotency_key_in_use": ("retry-after", SECONDS),
    **dict.fromkeys(
        ("access_token_invalid", "access_token_expired", "access_token_revoked"),
        ("www-authenticate", 'Bearer realm="paymint", error="invalid_token"'),
    ),
}
INTEGER = "-?[0-9]+"
SHAPES = dict.fromkeys(("minimum", "maximum", "limit_bytes", "amount", "available"), INTEGER)
SHAPES |= {"currency": "[A-Za-z]{3}", "expected": "[a-z ]+", "status": "[a-z_]+"}
SHAPES |= {"limit": "captured amount|rest of the captured amount"}
SHAPES |= {"unit": "cents|of the currency's smallest unit"}


def test_every_code_has_its_recipe_and_every_recipe_its_code() -> None:
    assert sorted(CATALOGUE.keys() - RECIPES.keys()) == [], "a new code needs a recipe"
    assert sorted(RECIPES.keys() - CATALOGUE.keys()) == [], "a recipe of a code that is gone"


@pytest.mark.parametrize("code", [c for c, r in RECIPES.items() if not r.needs_broken_stack])
def test_a_code_is_given_as_the_document_says(code: str, scene: Scene) -> None:
    check(RECIPES[code], RECIPES[code].send(scene))


@pytest.mark.parametrize("code", [c for c, r in RECIPES.items() if r.needs_broken_stack])
def test_an_outage_is_told_as_the_document_says(code: str, broken_scene: Scene) -> None:
    check(RECIPES[code], RECIPES[code].send(broken_scene))


@pytest.mark.parametrize("number", ["4000000000000002", VISA])
def test_a_repeated_refusal_says_that_it_is_one(number: str, scene: Scene) -> None:
    """402 of a card that declines, 422 of a token that is used."""
    token, key = scene.merchant.tokenise(number), str(uuid4())
    if number == VISA:
        scene.merchant.pay(token)
    first, again = (scene.merchant.pay_answer(token, key=key) for _ in range(2))
    assert error(again)[:2] == error(first)[:2]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    recipe = RECIPES[again.json()["error"]["code"]]
    check_headers(response_of(recipe, again.status_code), again)


def check(recipe: Recipe, answer: httpx.Response) -> None:
    """Status, type, message, param, doc_url, and the headers that the document declares."""
    row = CATALOGUE[recipe.code]
    if answer.headers["content-type"].startswith("text/html"):
        check_page(recipe, answer)
        return
    assert error(answer) == (row.status, recipe.code, recipe.param), answer.text
    fault = answer.json()["error"]
    assert fault["type"] == row.type
    assert re.fullmatch(wording(row.message, recipe.param), fault["message"])
    assert answer.headers["cache-control"] == "no-store"
    check_headers(response_of(recipe, row.status), answer)
    name, pattern = TELLING.get(recipe.code) or TELLING.get(row.status) or ("", "")
    told = {each for each, _ in TELLING.values()} & set(answer.headers.keys())
    assert told == ({name} if name else set())
    assert re.fullmatch(pattern, answer.headers.get(name, ""))


def check_page(recipe: Recipe, answer: httpx.Response) -> None:
    """A refusal in a browser: the same status and words; a form that is shown again says no more.

    Its audit entry is found by the request's id, which every answer carries.
    """
    row = CATALOGUE[recipe.code]
    assert answer.status_code == row.status, answer.text
    assert row.message in answer.text
    if "<form" not in answer.text:
        assert f'<code id="code">{recipe.code}</code>' in answer.text
        assert f'<code id="request">{answer.headers["x-request-id"]}</code>' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    check_headers(response_of(recipe, row.status), answer)


def wording(template: str, param: str | None) -> str:
    """The pattern of a message whose placeholders are all filled, and with what they may be."""
    pattern = re.escape(template)
    shapes = {**SHAPES, "param": re.escape(param or "request")}
    for name, shape in shapes.items():
        pattern = pattern.replace(re.escape(f"{{{name}}}"), f"(?:{shape})")
    return pattern


def response_of(recipe: Recipe, status: int) -> dict[str, Any]:
    """What the document promises for this answer."""
    if recipe.by is None:
        return resolved(DOCUMENT, DOCUMENT["x-refusals-without-operation"][recipe.code])
    operation = OPERATIONS[recipe.by]
    assert recipe.code in operation["x-errors"]
    return resolved(DOCUMENT, operation["responses"][str(status)])


def check_headers(response: dict[str, Any], answer: httpx.Response) -> None:
    declared = {
        name.lower(): resolved(DOCUMENT, header) for name, header in response["headers"].items()
    }
    required = {name for name, header in declared.items() if header.get("required")}
    sent = set(answer.headers.keys()) - EVERYWHERE
    assert required <= sent
    assert {name for name in sent if not name.startswith("access-control-")} <= declared.keys()
