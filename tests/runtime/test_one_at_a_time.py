"""A question that many ask at once is put once."""

import asyncio

import pytest

from runtime.one_at_a_time import OneAtATime

ASKING = 50


def test_those_who_ask_at_once_share_an_answer_and_the_next_gets_a_new_one() -> None:
    asked: list[int] = []

    async def ask() -> int:
        asked.append(len(asked))
        await asyncio.sleep(0.01)
        return asked[-1]

    async def run() -> None:
        one: OneAtATime[int] = OneAtATime()
        assert await asyncio.gather(*(one.answer(ask) for _ in range(ASKING))) == [0] * ASKING
        assert await one.answer(ask) == 1
        leaving, staying = (asyncio.create_task(one.answer(ask)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == 2

    asyncio.run(run())
    assert asked == [0, 1, 2]


def test_a_failure_is_told_to_all_and_not_kept() -> None:
    async def fail() -> int:
        await asyncio.sleep(0)
        raise LookupError

    async def answer() -> int:
        return 1

    async def run() -> None:
        one: OneAtATime[int] = OneAtATime()
        failed = await asyncio.gather(one.answer(fail), one.answer(fail), return_exceptions=True)
        assert [type(each) for each in failed] == [LookupError, LookupError]
        assert await one.answer(answer) == 1

    asyncio.run(run())
    with pytest.raises(LookupError):
        asyncio.run(OneAtATime[int]().answer(fail))
