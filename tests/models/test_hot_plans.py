"""Plans of the coalesced statements on an empty database: the worst time to be planned.

A plan made while a table is empty serves it for seconds while it grows, so no plan may
read a table, or an index, from one end to the other (docs/decisions, plans).
"""

import re

import psycopg
import pytest

from models import customer_reads
from models.deliveries import RECORD as RECORD_ATTEMPTS
from models.migrate import migrate
from models.operation_begin import BEGIN
from models.operation_end import END
from models.payment_decide import DECIDE
from models.payment_reads import GET_MANY
from models.payment_record import RECORD
from runtime.coalescer import PLAN_SETTINGS
from tests.cluster import Cluster

STATEMENTS = {
    "record": RECORD.text,
    "decide": DECIDE.text,
    "begin": BEGIN.text,
    "end": END.text,
    "get": GET_MANY.decode(),
    "attempts": RECORD_ATTEMPTS.decode(),
    "customer": customer_reads.GET_MANY.decode(),
}
_SCAN = re.compile(r"(Seq|Bitmap Heap) Scan on (?!pg_)\w+|Index (?:Only )?Scan using (\w+)")


@pytest.fixture(scope="module")
def empty_database(cluster: Cluster) -> str:
    url = cluster.database()
    migrate(url)
    return url


def plan_of(database: str, text: str) -> str:
    text = text.replace("%(rows)s", "$1").replace("%(slot)s", "$2")
    types = "(json, smallint)" if "$2" in text else "(json)"
    values = "('[]', 1)" if "$2" in text else "('[]')"
    with psycopg.connect(database, options=PLAN_SETTINGS) as connection:
        connection.execute(f"PREPARE hot {types} AS {text}".encode())
        rows = connection.execute(f"EXPLAIN (FORMAT TEXT) EXECUTE hot {values}".encode()).fetchall()
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", STATEMENTS)
def test_rows_are_looked_up_and_never_walked(empty_database: str, name: str) -> None:
    plan = plan_of(empty_database, STATEMENTS[name])
    scans = _SCAN.findall(plan)
    assert scans, plan
    assert not [kind for kind, _ in scans if kind], plan
    # Every look-up has the row's own id in its condition, whichever index carries it.
    lookups = re.findall(r"Index (?:Only )?Scan using \w+[^\n]*\n\s+Index Cond: ([^\n]*)", plan)
    assert len(lookups) == len(scans), plan
    named = (
        "asked",
        "looked",
        "mine",
        "changed",
        "anon_1",
        "judged",
        "recorded",
        "= webhook_deliveries.",
    )
    assert all(any(name in condition for name in named) for condition in lookups), plan


def test_the_clock_is_asked_for_authorisations_alone(empty_database: str) -> None:
    """A sale pays nothing for test clocks: theirs is a plan of its own inside a CASE, no join."""
    plan = plan_of(empty_database, STATEMENTS["decide"])
    assert plan.count(" on test_clocks") == 1, plan
    own = re.search(r"\n( *)SubPlan \d+\n *->  LockRows[^\n]*\n *->  [^\n]* on test_clocks", plan)
    assert own is not None, plan
    assert "test_clocks" not in plan_of(empty_database, STATEMENTS["record"])
