"""A key beyond 12 months raises an alert that the operator sees, until it was changed."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from contract import relay
from domain.callers import Asking
from flows.alerts import list_alerts
from flows.key_ages import CRYPTOPERIOD, check_key_ages
from tests.workers.house import Bench, Place, bench

NOBODY = UUID(int=0)


async def open_alerts(built: Bench, merchant_id: UUID = NOBODY) -> list[dict[str, Any]]:
    caller = replace(built.asking.caller, merchant_id=merchant_id)
    asking = Asking(caller, "req_test", None)
    found: list[dict[str, Any]] = (await list_alerts(built.house, asking, {"status": "open"}))[
        "data"
    ]
    return found


def test_old_keys_of_either_house_raise_one_alert_each_until_rotated(place: Place) -> None:
    async def scenario() -> None:
        async with bench(place) as built:
            young = relay.OldKeys(master_keys=0, data_keys=0)
            built.vault.answers = [young]
            await check_key_ages(built.house)
            assert await open_alerts(built) == []

            built.clock.advance(CRYPTOPERIOD + timedelta(days=1))
            for _ in range(2):
                built.vault.answers = [relay.OldKeys(master_keys=0, data_keys=3)]
                await check_key_ages(built.house)
            asked = built.vault.asked[-1]
            assert isinstance(asked, relay.CountOldKeys)
            year_ago = int((built.clock.now() - CRYPTOPERIOD).timestamp() * 1000)
            assert 0 <= year_ago - asked.born_before_ms < 10_000
            alerts = await open_alerts(built)
            assert {alert["subject"] for alert in alerts} == {"vault", "main house"}
            assert {alert["type"] for alert in alerts} == {"key_rotation_due"}
            # The operator's matter: no merchant sees it.
            assert await open_alerts(built, built.merchant_id) == []

            built.vault.answers = [young]
            for table in ("master_keys", "data_keys"):
                renewed = f"UPDATE {table} SET created_at = %(at)s RETURNING 1"
                await built.rows(renewed, at=built.clock.now())
            await check_key_ages(built.house)
            assert await open_alerts(built) == []

    asyncio.run(scenario())


def test_a_vault_that_is_away_changes_nothing(place: Place) -> None:
    async def scenario() -> None:
        async with bench(place) as built:
            built.vault.answers = [relay.OldKeys(master_keys=1, data_keys=0)]
            await check_key_ages(built.house)
            assert [each["subject"] for each in await open_alerts(built)] == ["vault"]
            assert await check_key_ages(built.house) == 0
            assert [each["subject"] for each in await open_alerts(built)] == ["vault"]

    asyncio.run(scenario())
