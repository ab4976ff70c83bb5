"""Who is let in, and who is sent away, while others work and wait."""

from prometheus_client import REGISTRY

from runtime.room import Room


def test_nobody_enters_beyond_the_limit() -> None:
    room = Room(2)
    assert [room.enter() for _ in range(3)] == [True, True, False]
    room.leave()
    assert [room.enter(), room.enter()] == [True, False]


def test_who_waits_for_somebody_else_makes_room_for_work() -> None:
    room = Room(3, at_work=1)
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
    room = Room(10, at_work=1)
    with room.waiting("req_1"):
        assert room.enter()
        assert room.enter()
    assert not room.enter()


def test_items_of_one_request_wait_as_one() -> None:
    room = Room(10, at_work=1)
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
    room = Room(10, at_work=1)
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
