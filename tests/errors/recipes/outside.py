"""500 and 503: what only a real fault gives, on a stack of its own."""

import os
import signal

import httpx
from psycopg.sql import SQL

from tests.errors.scene import Scene, gives
from tests.serving import eventually

HIDE = SQL("ALTER TABLE customers RENAME TO customers_hidden")
SHOW = SQL("ALTER TABLE customers_hidden RENAME TO customers")
BACK_SECONDS = 60.0
ORPHANS_SECONDS = 30.0


@gives("internal_error", by="list_customers", needs_broken_stack=True)
def a_table_that_is_gone(scene: Scene) -> httpx.Response:
    with scene.shop.owned_database() as connection:
        connection.execute(HIDE)
        try:
            return scene.merchant.ask("GET", "/v1/customers")
        finally:
            connection.execute(SHOW)


@gives("service_unavailable", by="list_payments", needs_broken_stack=True)
def a_database_that_was_killed(scene: Scene) -> httpx.Response:
    """The launcher sleeps meanwhile: it would have PostgreSQL back within a second."""
    scene.merchant.get("/v1/payments")
    serving = scene.shop.serving
    serving.process.send_signal(signal.SIGSTOP)
    try:
        os.kill(serving.process_id("postgres"), signal.SIGKILL)
        # Its children answer until they notice that they are orphans.
        eventually(lambda: _listed(scene) != 200, ORPHANS_SECONDS)
        answer = scene.merchant.ask("GET", "/v1/payments")
    finally:
        serving.process.send_signal(signal.SIGCONT)
    assert eventually(lambda: _listed(scene) == 200, BACK_SECONDS), "it did not come back"
    return answer


def _listed(scene: Scene) -> int:
    return scene.merchant.ask("GET", "/v1/payments").status_code
