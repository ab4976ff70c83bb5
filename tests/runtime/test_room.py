"""Who is let in, and who is sent away, while others work and wait."""

from prometheus_client import REGISTRY

from runtime.room import JAM_SECONDS, JAM_TIMES, JAMS_APART_SECONDS, Room


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def jammed(limit: int, at_work: int) -> tuple[Room, Watch]:
    """A room whose jam, which the first who came too many began, is over."""
    watch = Watch()
    room = Room(limit, at_work, watch)
    entered = 0
    while room.enter():
        entered += 1
    for _ in range(entered):
        room.leave()
    watch.now += JAM_SECONDS
    return room, watch


def test_a_moment_s_jam_is_let_in_and_an_overload_is_not() -> None:
    watch = Watch()
    room = Room(1000, at_work=10, monotonic=watch)
    assert sum(room.enter() for _ in range(1000)) == 10 * JAM_TIMES
    watch.now += JAM_SECONDS
    for _ in range(10 * JAM_TIMES - 9):
        room.leave()
    # As many as ever leave and come: the room is never half empty.
    for _ in range(100):
        watch.now += JAMS_APART_SECONDS
        assert [room.enter(), room.enter()] == [True, False]
        room.leave()


def test_the_next_jam_is_let_in_when_there_was_room_and_time() -> None:
    room, watch = jammed(1000, 10)
    assert sum(room.enter() for _ in range(20)) == 10
    watch.now += JAMS_APART_SECONDS - JAM_SECONDS
    assert room.enter()


def test_nobody_enters_beyond_the_limit() -> None:
    room = Room(2)
    assert [room.enter() for _ in range(3)] == [True, True, False]
    room.leave()
    assert [room.enter(), room.enter()] == [True, False]


def test_who_waits_for_somebody_else_makes_room_for_work() -> None:
    room, _ = jammed(3, at_work=1)
    assert [room.enter(), room.enter()] == [True, False]
    with room.waiting("req_1"):
        assert [room.enter(), room.enter()] == [True, False]
        with room.waiting("req_2"):
            assert room.enter()
            # Three are inside, whatever they do.
            assert not room.enter()
        assert not room.enter()
    for _ in range(3):
        room.leave()
    assert room.enter()


def test_who_comes_back_goes_on_and_the_next_is_sent_away() -> None:
    room, _ = jammed(10, at_work=1)
    with room.waiting("req_1"):
        assert room.enter()
        assert room.enter()
    assert not room.enter()


def test_items_of_one_request_wait_as_one() -> None:
    room, _ = jammed(10, at_work=1)
    assert room.enter()
    with room.waiting("req_1"), room.waiting("req_1"):
        assert [room.enter(), room.enter()] == [True, False]
    assert not room.enter()
    with room.waiting("req_1"):
        with room.waiting("req_1"):
            pass
        room.leave()
        # One of two items is back, and the other still waits.
        assert [room.enter(), room.enter()] == [True, False]


def test_who_fails_while_waiting_waits_no_more() -> None:
    room, _ = jammed(10, at_work=1)
    assert room.enter()
    try:
        with room.waiting("req_1"):
            raise TimeoutError
    except TimeoutError:
        pass
    assert not room.enter()


def test_who_waits_without_having_entered_works_at_nothing() -> None:
    """A worker asks the networks, too, and its figures are shown beside the API's."""
    room = Room(10)
    with room.waiting("req_1"):
        assert REGISTRY.get_sample_value("paymint_requests_at_work") == 0
        assert room.enter()
