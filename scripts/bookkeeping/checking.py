"""The whole check, in one snapshot that changes nothing."""

from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.rows import dict_row

from scripts.bookkeeping import books, networks
from scripts.bookkeeping.difference import Difference


class Report(NamedTuple):
    """What was compared, and the first place where each broken rule is broken."""

    figures: dict[str, int]
    differences: list[Difference]


def check(database_url: str, journal: Path | None, settled: bool = False) -> Report:
    """Compare postings, balances, payments and, unless `journal` is None, the networks.

    `settled`: no work is under way, so both sides must be equal.  Raises psycopg.Error where
    the database cannot be read.
    """
    with psycopg.connect(database_url, row_factory=dict_row) as session:
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.read_only = True
        found, figures = books.differences(session), books.figures(session)
        if journal is not None:
            compared = networks.compare(session, journal, settled)
            found += compared.differences
            figures["chargebacks waiting for refunds or captures"] = compared.waiting
        return Report(figures, found)
