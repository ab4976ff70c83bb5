"""How many attempts an endpoint gets: few at first, more when quick, one at a time when slow."""

import random
from uuid import UUID

import pytest

from domain.delivery_rooms import (
    ATTEMPTS_AT_ONCE,
    ATTEMPTS_PER_ENDPOINT,
    MOST_PER_ENDPOINT,
    MOST_PER_MERCHANT,
    REMEMBERED,
    SLOW_AT_ONCE,
    SLOW_SECONDS,
    Endpoint,
    Rooms,
)

LONG = SLOW_SECONDS * 2


def endpoint(number: int, merchant: int = 0) -> Endpoint:
    return Endpoint(UUID(int=number), UUID(int=merchant))


def room(rooms: Rooms, of: Endpoint, now: float) -> int:
    return rooms.rooms(now).get(of, ATTEMPTS_PER_ENDPOINT)


def test_an_endpoint_earns_its_room_and_loses_it() -> None:
    rooms, one = Rooms(), endpoint(1)
    assert room(rooms, one, 0.0) == ATTEMPTS_PER_ENDPOINT
    rooms.begin(one, 0.0)
    assert room(rooms, one, 0.0) == ATTEMPTS_PER_ENDPOINT - 1
    rooms.begin(one, 0.1)
    rooms.end(one, 0.1, 0.2)
    assert room(rooms, one, 0.2) == MOST_PER_ENDPOINT - 1
    assert room(rooms, one, LONG) == 0, "the first has been under way for too long"
    rooms.end(one, 0.0, LONG)
    assert room(rooms, one, LONG) == 1, "one at a time"
    rooms.begin(one, LONG)
    assert room(rooms, one, LONG) == 0
    rooms.end(one, LONG, LONG + 0.1)
    rooms.begin(one, LONG)
    assert room(rooms, one, LONG) == MOST_PER_ENDPOINT - 1, "quick again"


def test_all_slow_endpoints_together_have_half_of_a_worker() -> None:
    rooms = Rooms()
    slow = [endpoint(number, number) for number in range(ATTEMPTS_AT_ONCE)]
    for one in slow:
        rooms.begin(one, 0.0)
        rooms.end(one, 0.0, LONG)
    open_now = [one for one, left in rooms.rooms(LONG).items() if left]
    assert len(open_now) == SLOW_AT_ONCE
    for one in open_now:
        rooms.begin(one, LONG)
    assert not any(rooms.rooms(LONG).values())
    rooms.end(open_now[0], LONG, LONG * 3)
    (following,) = [one for one, left in rooms.rooms(LONG * 3).items() if left]
    assert following not in open_now, "who has waited longest comes first"


def test_a_merchant_has_no_more_than_its_part() -> None:
    rooms = Rooms()
    for number in range(MOST_PER_MERCHANT):
        assert rooms.full() == []
        rooms.begin(endpoint(number), 0.0)
    assert rooms.full() == [endpoint(0).merchant_id]
    rooms.end(endpoint(0), 0.0, 0.1)
    assert rooms.full() == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_happens_the_counts_come_back_to_nothing(seed: int) -> None:
    print(f"seed {seed}")
    chance, rooms, now = random.Random(seed), Rooms(), 0.0
    under_way: list[tuple[Endpoint, float]] = []
    for _ in range(3000):
        now += chance.random()
        one = endpoint(chance.randrange(12), chance.randrange(3))
        if chance.random() < 0.5 and room(rooms, one, now) > 0:
            rooms.begin(one, now)
            under_way.append((one, now))
        elif under_way:
            ended, began = under_way.pop(chance.randrange(len(under_way)))
            rooms.end(ended, began, now)
        held = [e for e, _ in under_way]
        assert all(held.count(e) <= MOST_PER_ENDPOINT for e in set(held))
        assert all(left >= 0 for left in rooms.rooms(now).values())
    for ended, began in under_way:
        rooms.end(ended, began, now)
    assert rooms.full() == [] and set(rooms.rooms(now).values()) <= {0, 1}


def test_what_is_remembered_is_bounded() -> None:
    rooms = Rooms()
    for number in range(REMEMBERED + 1):
        rooms.begin(endpoint(number), 0.0)
        rooms.end(endpoint(number), 0.0, LONG)
    assert len(rooms.rooms(LONG)) == REMEMBERED
    assert room(rooms, endpoint(0), LONG) == ATTEMPTS_PER_ENDPOINT, "forgotten"
