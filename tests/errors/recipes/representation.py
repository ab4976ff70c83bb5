"""Versions and chosen fields: how an answer is asked for."""

import httpx
from psycopg.sql import SQL, Literal

from tests.errors.scene import Scene, gives
from tests.shop import Merchant

OLD = "2025-09-15"
BROWNOUT, SUNSET = "2027-02-01T15:30Z", "2027-04-01T00:00Z"
# The clock is put in place, not moved: a merchant cannot turn one back, and these moments
# will lie in the past one day.
PUT_CLOCK = SQL(
    "INSERT INTO test_clocks (id, merchant_id, livemode, frozen_time, created_at)"
    " SELECT id, id, false, {}, now() FROM merchants WHERE id = %(merchant)s"
)


def at(scene: Scene, moment: str) -> Merchant:
    """A merchant whose business clock stands at this moment."""
    return scene.opened(PUT_CLOCK.format(Literal(moment)))


def list_in(merchant: Merchant, version: str) -> httpx.Response:
    return merchant.ask("GET", "/v1/payments", headers={"Paymint-Version": version})


@gives("api_version_unknown", by="list_payments", param="Paymint-Version")
def a_version_of_no_day(scene: Scene) -> httpx.Response:
    return list_in(scene.merchant, "2026-04-02")


@gives("api_version_brownout", by="list_payments", param="Paymint-Version")
def an_hour_of_brownout(scene: Scene) -> httpx.Response:
    return list_in(at(scene, BROWNOUT), OLD)


@gives("api_version_removed", by="list_payments", param="Paymint-Version")
def a_version_after_its_sunset(scene: Scene) -> httpx.Response:
    return list_in(at(scene, SUNSET), OLD)


@gives("api_version_unavailable", by="update_merchant", param="api_version")
def choosing_a_version_that_is_gone(scene: Scene) -> httpx.Response:
    merchant, body = at(scene, SUNSET), {"api_version": OLD}
    return merchant.ask("PATCH", f"/v1/merchants/{merchant.id}", body)


@gives("field_unknown", by="list_payments", param="fields")
def a_field_that_is_none(scene: Scene) -> httpx.Response:
    return scene.list_payments("fields=id,ammount")
