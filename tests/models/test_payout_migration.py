"""Who had an account before there were payouts is paid out to from the next midnight on."""

from datetime import UTC, datetime, timedelta

import psycopg
import sqlalchemy as sa

from tests.cluster import Cluster
from tests.models.test_accounts_migration import upgrade
from tests.models.test_migrations import engine

BEFORE = "0019"
_MERCHANT = (
    "INSERT INTO merchants (id, business_name, mcc, country, status, settlement_currency,"
    " api_version, created_at) VALUES (gen_random_uuid(), 'Widget Works', '5999', 'US', 'active',"
    " 'usd', '2026-04-01', now())"
)


def test_every_account_gets_a_schedule_in_each_mode(cluster: Cluster) -> None:
    url = cluster.database()
    upgrade(url, BEFORE)
    with engine(url).begin() as connection:
        connection.execute(sa.text(_MERCHANT))
    before = datetime.now(UTC)
    upgrade(url, "head")
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT livemode, run_at FROM payout_schedules ORDER BY livemode"
        ).fetchall()
    assert [row[0] for row in rows] == [False, True]
    for _, run_at in rows:
        moment = run_at.astimezone(UTC)
        assert before < moment <= before + timedelta(days=1, minutes=1)
        assert (moment.hour, moment.minute, moment.second) == (0, 0, 0)
