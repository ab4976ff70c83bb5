"""The two commits of a capture or cancellation: shared by all who wait, and each done once."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.ids import from_text
from domain.refusals import Conflict, Missing, Unprocessable
from flows.payment_operations import capture_payment
from flows.replies import Reply
from models.operation_begin import BEGIN
from models.operation_end import END
from runtime.coalescer import Lane
from runtime.database import POOL_MAX_CONNECTIONS, Row
from tests.flows.test_lost_processes import play
from tests.flows.till import AMOUNT, Till
from tests.shop import Merchant, Shop

ENDS = {"capture": "captured", "cancel": "cancelled"}
KINDS = {"capture": "capture", "cancel": "reverse"}
STATEMENTS = {"begin": BEGIN.text.encode(), "end": END.text.encode()}
MANY = 12
# Longer than a busy machine takes to see who waits.
PATIENT_MS = 9_000
Rows = Callable[[Lane, bytes, dict[str, Any]], Awaitable[list[Row]]]


@pytest.mark.parametrize("action", ENDS)
def test_it_needs_no_connection_of_the_pool(action: str, shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        async with AsyncExitStack() as all_others:
            for _ in range(POOL_MAX_CONNECTIONS):
                await all_others.enter_async_context(till.house.database.transaction())
            reply = await till.act(key, payment, action)
        assert (reply.status, reply.resource["status"]) == (200, ENDS[action])
        again = await till.act(key, payment, action)
        assert (again.replayed, again.resource) == (True, reply.resource)

    play(shop, merchant, story)


@pytest.mark.parametrize("commit", STATEMENTS)
@pytest.mark.parametrize("action", ENDS)
def test_a_commit_whose_answer_is_lost_is_made_once(
    action: str, commit: str, shop: Shop, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        with monkeypatch.context() as patch:
            lost = answer_lost(patch, STATEMENTS[commit])
            reply = await till.act(key, payment, action)
        assert lost == [STATEMENTS[commit]]
        assert (reply.status, reply.resource) == (200, merchant.payment(payment))
        assert (await till.act(key, payment, action)).resource == reply.resource
        decisions = [("authorise", "approved"), (KINDS[action], "approved")]
        assert shop.decisions(payment) == decisions

    play(shop, merchant, story)


def answer_lost(patch: pytest.MonkeyPatch, text: bytes) -> list[bytes]:
    """The first answer to this statement never arrives; what was lost is told."""
    lost: list[bytes] = []
    run: Rows = Lane.rows

    async def cut_off(lane: Lane, asked: bytes, parameters: dict[str, Any]) -> list[Row]:
        rows = await run(lane, asked, parameters)
        if asked == text and not lost:
            lost.append(asked)
            raise psycopg.OperationalError("the server closed the connection unexpectedly")
        return rows

    patch.setattr(Lane, "rows", cut_off)
    return lost


def test_many_at_once_share_two_commits(
    shop: Shop, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(till: Till) -> None:
        made = [merchant.pay(capture=False)["id"] for _ in range(MANY)]
        batches: list[int] = []
        run: Rows = Lane.rows

        async def counting(lane: Lane, text: bytes, parameters: dict[str, Any]) -> list[Row]:
            rows = await run(lane, text, parameters)
            if text == STATEMENTS["begin"]:
                batches.append(len(rows))
            return rows

        with monkeypatch.context() as patch:
            patch.setattr(Lane, "rows", counting)
            actions = ("capture", "cancel") * (MANY // 2)
            acts = zip(made, actions, strict=True)
            replies = await asyncio.gather(*(till.act(uuid4(), *each) for each in acts))
        assert batches == [MANY]
        assert [reply.resource["id"] for reply in replies] == made
        assert [reply.resource["status"] for reply in replies] == [ENDS[each] for each in actions]

    play(shop, merchant, story)


def test_who_cannot_begin_harms_nobody_beside_it(shop: Shop, merchant: Merchant) -> None:
    """One batch: a key twice, a payment twice, too much, what was sold, and what is not there."""

    async def story(till: Till) -> None:
        first, second, third, fourth = (merchant.pay(capture=False)["id"] for _ in range(4))
        sold, nothing = merchant.pay()["id"], f"pay_{uuid4().hex}"
        key = uuid4()
        wanted = [
            (key, first, AMOUNT),
            (key, second, AMOUNT),
            (uuid4(), third, AMOUNT),
            (uuid4(), third, AMOUNT),
            (uuid4(), fourth, AMOUNT + 1),
            (uuid4(), sold, AMOUNT),
            (uuid4(), nothing, AMOUNT),
        ]
        answers = await asyncio.gather(
            *(captured(till, *each) for each in wanted), return_exceptions=True
        )
        one_of_them(answers[:2], Conflict, "idempotency_key_reused")
        one_of_them(answers[2:4], Unprocessable, "payment_unexpected_state")
        refused(answers[4], Unprocessable, "capture_exceeds_authorization")
        refused(answers[5], Unprocessable, "payment_unexpected_state")
        refused(answers[6], Missing, "resource_missing")
        assert merchant.payment(fourth)["amount_capturable"] == AMOUNT
        unclaimed = {wanted[6][0]}
        assert await claimed(shop, wanted) == {each for each, *_ in wanted} - unclaimed

    play(shop, merchant, story)


async def captured(till: Till, key: UUID, payment: str, amount: int) -> Reply:
    return await capture_payment(till.house, till.asking(key, payment, amount), payment, amount)


def one_of_them(answers: list[Reply | BaseException], refusal: type, code: str) -> None:
    """One is told 200 and the other refused."""
    done = [each for each in answers if isinstance(each, Reply)]
    assert [reply.status for reply in done] == [200], answers
    refused(next(each for each in answers if not isinstance(each, Reply)), refusal, code)


def refused(answer: Reply | BaseException, refusal: type, code: str) -> None:
    assert isinstance(answer, refusal), answer
    assert getattr(answer, "code", None) == code


async def claimed(shop: Shop, wanted: list[tuple[UUID, str, int]]) -> set[UUID]:
    keys = [key for key, *_ in wanted]
    with shop.database() as connection:
        rows = connection.execute("SELECT key FROM idempotency_keys WHERE key = ANY(%s)", [keys])
        return {row[0] for row in rows.fetchall()}


def test_a_key_is_not_claimed_for_what_changed_meanwhile(shop: Shop, merchant: Merchant) -> None:
    """The payment is changed between the look at it and its update; another is beside it."""

    async def story(till: Till) -> None:
        changed, beside = (merchant.pay(capture=False)["id"] for _ in range(2))
        key = uuid4()
        patient(till)
        with shop.database() as connection, connection.transaction():
            connection.execute(_BUSY, [from_text("pay", changed)])
            acts = [
                asyncio.ensure_future(till.act(name, payment, "capture"))
                for name, payment in ((key, changed), (uuid4(), beside))
            ]
            await until_waiting(shop, 1)
        first, second = await asyncio.gather(*acts, return_exceptions=True)
        refused(first, Unprocessable, "payment_unexpected_state")
        assert isinstance(second, Reply) and second.resource["status"] == "captured"
        with pytest.raises(Unprocessable) as again:
            await till.act(key, changed, "capture")
        assert again.value.replayed
        with shop.database() as connection:
            connection.execute(_IDLE, [from_text("pay", changed)])
        assert (await till.act(uuid4(), changed, "capture")).status == 200

    play(shop, merchant, story)


_BUSY = """UPDATE payments SET operation = 'cancel', operation_attempt_id = gen_random_uuid()
    WHERE id = %s"""
_IDLE = "UPDATE payments SET operation = NULL, operation_attempt_id = NULL WHERE id = %s"
_WAITS = """SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()"""


def patient(till: Till) -> Lane:
    """The lane on which operations begin; it waits for locks until the test has seen it wait."""
    (lane,) = till.house.begin._lanes
    lane.lock_ms = PATIENT_MS
    return lane


async def until_waiting(shop: Shop, count: int) -> None:
    with shop.superuser_database() as connection:
        for _ in range(1000):
            if connection.execute(_WAITS).fetchone() == (count,):
                return
            await asyncio.sleep(0.01)
    raise AssertionError("nobody came to the locked row")


def test_it_is_begun_for_its_own_merchant_and_mode_alone(shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        other = shop.open_account()
        payment = other.pay(capture=False)["id"]
        with pytest.raises(Missing):
            await till.act(uuid4(), payment, "capture")
        with shop.database() as connection:
            row = connection.execute(
                "SELECT status, operation FROM payments WHERE id = %s", [from_text("pay", payment)]
            ).fetchone()
        assert row == ("authorized", None)

    play(shop, merchant, story)


def test_a_commit_that_outlives_its_connection_is_found(shop: Shop, merchant: Merchant) -> None:
    """Run again, the statement waits behind itself, for a payment that it does not see begun."""

    async def story(till: Till) -> None:
        payment = merchant.pay(capture=False)["id"]
        without_key = replace(till.asking(uuid4(), payment), once=None)
        lane = patient(till)
        with shop.database() as connection, connection.transaction():
            connection.execute(_LOCKED, [from_text("pay", payment)])
            act = asyncio.ensure_future(capture_payment(till.house, without_key, payment, None))
            await until_waiting(shop, 1)
            cut(lane)
            await until_waiting(shop, 2)
        reply = await act
        assert (reply.status, reply.resource) == (200, merchant.payment(payment))
        assert shop.decisions(payment) == [("authorise", "approved"), ("capture", "approved")]

    play(shop, merchant, story)


_LOCKED = "SELECT FROM payments WHERE id = %s FOR UPDATE"


def cut(lane: Lane) -> None:
    """The line that began the operation is cut, and its server does not notice."""
    assert lane._statements is not None
    with socket.socket(fileno=os.dup(lane._statements._socket)) as line:
        line.shutdown(socket.SHUT_RDWR)
