"""How each code of the catalogue is provoked: a recipe is a function that sends the requests.

    @gives("url_not_public", by="create_webhook_endpoint", param="url")
    def an_address_at_home(scene: Scene) -> httpx.Response:
        return scene.merchant.ask("POST", "/v1/webhook_endpoints", {"url": "https://127.0.0.1/"})

Recipes stand in tests/errors/recipes, a file for each kind of code.  A new code needs one.
"""

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from psycopg.sql import SQL, Composed

from domain.ids import from_text
from tests.shop import Merchant, Shop, bearer

CHEAP = {"amount": 5000, "currency": "usd", "payment_method_id": "tok_1"}
JSON = {"Content-Type": "application/json"}
NOBODY = "0" * 32


@dataclass
class Scene:
    """The stack, and a merchant whom no recipe may spoil for the others."""

    shop: Shop
    merchant: Merchant

    def pay(self, **changes: Any) -> httpx.Response:
        """A payment of 50.00 usd with these fields changed or added."""
        return self.pay_bytes(json.dumps({**CHEAP, **changes}).encode())

    def pay_bytes(self, body: bytes, **headers: str) -> httpx.Response:
        """These very bytes to POST /v1/payments, with an idempotency key of their own."""
        sent = {**JSON, "Idempotency-Key": str(uuid4()), **headers}
        return self.merchant.ask("POST", "/v1/payments", content=body, headers=sent)

    def list_payments(self, query: str) -> httpx.Response:
        return self.merchant.ask("GET", f"/v1/payments?{query}")

    def list_with(self, key: str) -> httpx.Response:
        """The payments, asked for with this key."""
        return self.shop.http.get("/v1/payments", headers=bearer(key))

    def opened(self, change: SQL | Composed) -> Merchant:
        """A new merchant after this change of its rows, before anybody has asked with its key."""
        made = self.shop.open_account()
        with self.shop.database() as connection:
            changed = connection.execute(change, {"merchant": uuid_of("mch", made.id)})
            assert changed.rowcount >= 1
        return made


Send = Callable[[Scene], httpx.Response]


@dataclass(frozen=True)
class Recipe:
    """What provokes a code: `by` names the operation that answers, if one does."""

    code: str
    by: str | None
    param: str | None
    send: Send
    needs_broken_stack: bool = False


RECIPES: dict[str, Recipe] = {}


def gives(code: str, **details: Any) -> Callable[[Send], Send]:
    """Enter the recipe of this code; `by`, `param` and `needs_broken_stack` are Recipe's."""

    def enter(send: Send) -> Send:
        assert code not in RECIPES, f"{code} has two recipes"
        RECIPES[code] = Recipe(code, **{"by": None, "param": None, **details}, send=send)
        return send

    return enter


def uuid_of(prefix: Any, text: str) -> UUID:
    """The UUID behind a public id."""
    identifier = from_text(prefix, text)
    assert identifier is not None
    return identifier


def all_recipes() -> dict[str, Recipe]:
    """The recipes of every file, by code."""
    for path in sorted((Path(__file__).parent / "recipes").glob("*.py")):
        importlib.import_module(f"tests.errors.recipes.{path.stem}")
    return RECIPES
