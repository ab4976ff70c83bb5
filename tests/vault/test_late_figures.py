"""What the vault shows of attempts that were given up: how many are due, and what stands."""

from dataclasses import replace

import psycopg
from prometheus_client import REGISTRY

from runtime.ids import uuid7
from tests.vault.house import House
from tests.vault.test_late_approvals import arrives, given_up, is_due, looked_at, played
from tests.vault.till import Till
from vault.operations.late_approvals import LateApprovals


def test_one_that_the_network_does_not_take_back_is_counted(quiet: House) -> None:
    async def scenario(till: Till) -> None:
        late = await till.authorisation()
        await given_up(till, quiet, late)
        order = await arrives(till, late)
        approval = await till.network.real.inquire("visa", late.attempt_id)
        assert approval is not None
        # What is captured is not reversed.
        await till.network.real.capture(replace(order, attempt_id=uuid7()), approval)
        name, labels = "paymint_reversals_declined_total", {"of": "late_approval"}
        before = REGISTRY.get_sample_value(name, labels) or 0.0
        await looked_at(till, quiet, late.attempt_id)
        assert REGISTRY.get_sample_value(name, labels) == before + 1
        assert not is_due(quiet, late.attempt_id)

    played(quiet, scenario)


def test_how_many_are_due_is_shown_with_their_age(quiet: House) -> None:
    def shown(name: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"work": "late_approvals"})

    async def scenario(till: Till) -> None:
        late = await till.authorisation()
        await given_up(till, quiet, late)
        with psycopg.connect(quiet.database_url) as connection:
            moved = "UPDATE attempts SET look_again_at = now() - interval '90 s' WHERE id = %s"
            connection.execute(moved, [late.attempt_id])
        looking = LateApprovals(till.attempts.late, till.network)
        assert await looking.turn() == 1
        waited = shown("paymint_oldest_due_seconds")
        assert waited is not None and 90 <= waited < 120
        assert shown("paymint_backlog") == 1
        assert await looking.turn() == 0
        assert (shown("paymint_backlog"), shown("paymint_oldest_due_seconds")) == (0, 0)

    played(quiet, scenario)
