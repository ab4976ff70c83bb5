"""What judges a storm finds each kind of loss, and a seed makes the same schedule twice."""

import copy
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from scripts.storm.believed import compare_beliefs
from scripts.storm.diary import Diary, Intention, Told
from scripts.storm.faults import (
    FIRST_FAULT_SECONDS,
    Fault,
    read_schedule,
    schedule,
    write_schedule,
)
from scripts.storm.found import Findings, Stored
from scripts.storm.main import NOT_RUN, parsed
from scripts.storm.rules import compare_events, compare_journal, count_payments
from scripts.storm.shrinking import moved_forward, shrunk

MERCHANT = UUID(int=1)
SOLD, HELD, DECLINED, REFUND, HOLD = (UUID(int=number) for number in (2, 3, 4, 5, 6))
STORM_SECONDS = 900.0


def pay(payment: UUID) -> str:
    return f"pay_{payment.hex}"


def payment(identifier: UUID, status: str, **changes: Any) -> dict[str, Any]:
    row = {
        "id": identifier,
        "merchant_id": MERCHANT,
        "idempotency_key": UUID(int=100 + identifier.int),
        "status": status,
        "amount": 1000,
        "currency": "usd",
        "capture": identifier == SOLD,
        "amount_captured": 0,
        "amount_refunded": 0,
        "amount_disputed": 0,
        "event_sequence": 1,
    }
    return {**row, **changes}


def event(number: int, source: UUID, kind: str, sequence: int, status: str) -> dict[str, Any]:
    return {
        "id": UUID(int=200 + number),
        "object_id": source,
        "type": kind,
        "sequence": sequence,
        "status": status,
    }


def intention(
    kind: Any, key: int, told: Told, target: UUID | None = None, prefix: str = "pay"
) -> Intention:
    body: dict[str, Any] = {"amount": 1000, "currency": "usd", "capture": key == SOLD.int}
    made = Intention(kind, "mch_1", "sk", str(UUID(int=100 + key)), "/", body)
    made.payment = "" if target is None else f"{prefix}_{target.hex}"
    made.told.append(told)
    return made


def stored() -> Stored:
    """What is stored of it."""
    return Stored(
        payments=[
            payment(SOLD, "captured", amount_captured=1000, amount_refunded=300),
            payment(HELD, "captured", amount_captured=1000, event_sequence=2),
            payment(DECLINED, "failed"),
        ],
        refunds=[
            {
                "id": REFUND,
                "merchant_id": MERCHANT,
                "payment_id": SOLD,
                "amount": 300,
                "status": "succeeded",
                "event_sequence": 2,
            }
        ],
        events=[
            event(0, SOLD, "payment.captured", 1, "captured"),
            event(1, HELD, "payment.authorized", 1, "authorized"),
            event(2, HELD, "payment.captured", 2, "captured"),
            event(3, DECLINED, "payment.failed", 1, "failed"),
            event(4, REFUND, "refund.created", 1, "pending"),
            event(5, REFUND, "refund.succeeded", 2, "succeeded"),
            event(6, HOLD, "hold.created", 1, "active"),
            event(7, HOLD, "hold.released", 2, "released"),
        ],
        counters=[
            {"merchant_id": MERCHANT, "status": "captured", "count": 2},
            {"merchant_id": MERCHANT, "status": "failed", "count": 1},
        ],
        holds=[
            {
                "id": HOLD,
                "merchant_id": MERCHANT,
                "idempotency_key": UUID(int=108),
                "status": "released",
                "event_sequence": 2,
                "top_ups": 1,
            }
        ],
    )


class World:
    """A payment that was sold and refunded in part, one held and captured, one declined."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.kept = stored()
        refund = intention("refund", 7, Told(201, f"ref_{REFUND.hex}", "pending", 300), SOLD)
        refund.body = {"amount": 300}
        held = f"hld_{HOLD.hex}"
        self.diary = Diary(
            intentions=[
                intention("pay", SOLD.int, Told(201, pay(SOLD), "captured", 1000, 1000)),
                intention("pay", HELD.int, Told(201, pay(HELD), "authorized", 1000)),
                intention("pay", DECLINED.int, Told(402, pay(DECLINED), code="card_declined")),
                intention("capture", 6, Told(200, pay(HELD), "captured", 1000, 1000), HELD),
                refund,
                intention("hold", 8, Told(201, held, "active", 1000)),
                intention("top_up", 9, Told(200, held, "active", 2000), HOLD, "hld"),
                intention("release", 10, Told(200, held, "released", 2000), HOLD, "hld"),
            ],
            delivered={f"evt_{each['id'].hex}" for each in self.kept.events},
        )
        self.journal = [
            (SOLD, "sale", "approved"),
            (HELD, "authorise", "approved"),
            (HELD, "capture", "approved"),
            (DECLINED, "sale", "declined"),
            (SOLD, "refund", "approved"),
            (HOLD, "authorise", "approved"),
            (HOLD, "authorise", "approved"),
        ]

    def judged(self, directory: Path) -> Findings:
        lines = [
            json.dumps(
                {
                    "at": 1,
                    "kind": kind,
                    "attempt": "a",
                    "payment": source.hex,
                    "merchant": "m",
                    "livemode": False,
                    "network": "visa",
                    "amount": 1000,
                    "currency": "usd",
                    "decision": decision,
                }
            )
            for source, kind, decision in self.journal
        ]
        journal = directory / "journal.jsonl"
        journal.write_text("\n".join(lines) + '\n{"at": 1, "kind": "sale", "torn')
        compare_beliefs(self.diary, self.kept, self.findings)
        compare_journal(journal, self.kept, self.findings)
        compare_events(self.diary, self.kept, self.findings)
        count_payments(self.kept, self.findings)
        return self.findings


def lose_payment(world: World) -> None:
    del world.kept.payments[0]


def change_amount(world: World) -> None:
    world.kept.payments[0]["amount"] = 999


def run_backwards(world: World) -> None:
    world.kept.payments[1]["status"] = "authorized"


def approve_declined(world: World) -> None:
    world.kept.payments[2]["status"] = "captured"


def lose_capture(world: World) -> None:
    world.kept.payments[1]["amount_captured"] = 900


def lose_refund(world: World) -> None:
    del world.kept.refunds[0]


def take_back_a_word(world: World) -> None:
    world.diary.intentions[0].told.append(Told(422, code="payment_unexpected_state"))


def drop_event(world: World) -> None:
    del world.kept.events[1]


def keep_event_from_merchant(world: World) -> None:
    world.diary.delivered.pop()


def tell_another_state(world: World) -> None:
    world.kept.events[0]["status"] = "authorized"


def pay_twice(world: World) -> None:
    twin = copy.deepcopy(world.kept.payments[0])
    world.kept.payments.append({**twin, "id": UUID(int=9)})


def pay_unasked(world: World) -> None:
    world.kept.payments.append(payment(UUID(int=9), "captured"))


def answer_two_ids(world: World) -> None:
    world.diary.intentions[0].told.append(Told(201, pay(HELD), "captured", 1000, 1000))


def approve_twice(world: World) -> None:
    world.journal.append((SOLD, "sale", "approved"))


def capture_twice(world: World) -> None:
    world.journal.append((HELD, "capture", "approved"))


def pay_back_twice(world: World) -> None:
    world.journal.append((SOLD, "refund", "approved"))


def refund_twice(world: World) -> None:
    world.kept.refunds.append({**world.kept.refunds[0], "id": UUID(int=9)})


def refund_beyond(world: World) -> None:
    world.kept.payments[0]["amount_refunded"] = 1001


def lose_hold(world: World) -> None:
    world.kept.holds.clear()


def forget_release(world: World) -> None:
    world.kept.holds[0]["status"] = "active"


def hold_twice(world: World) -> None:
    world.kept.holds.append({**world.kept.holds[0], "id": UUID(int=9)})


def top_up_twice(world: World) -> None:
    world.kept.holds[0]["top_ups"] = 2


def set_aside_twice(world: World) -> None:
    world.journal.append((HOLD, "authorise", "approved"))


def draw_twice(world: World) -> None:
    world.journal.append((SOLD, "draw", "approved"))


def count_wrongly(world: World) -> None:
    world.kept.counters[0]["count"] = 3


CRIMES = [
    ("lost", lose_payment),
    ("lost", change_amount),
    ("lost", run_backwards),
    ("lost", approve_declined),
    ("lost", lose_capture),
    ("lost", lose_refund),
    ("lost", take_back_a_word),
    ("lost", drop_event),
    ("lost", keep_event_from_merchant),
    ("lost", tell_another_state),
    ("doubled", pay_twice),
    ("doubled", pay_unasked),
    ("doubled", answer_two_ids),
    ("doubled", approve_twice),
    ("doubled", capture_twice),
    ("doubled", pay_back_twice),
    ("doubled", refund_twice),
    ("doubled", refund_beyond),
    ("lost", lose_hold),
    ("lost", forget_release),
    ("doubled", hold_twice),
    ("doubled", top_up_twice),
    ("doubled", set_aside_twice),
    ("doubled", draw_twice),
    ("books", count_wrongly),
]


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    assert World().judged(tmp_path).all() == []


def test_an_addition_that_ended_holds_refuse_is_not_doubled(tmp_path: Path) -> None:
    """The network may have approved it meanwhile; it is given back with the rest."""
    world = World()
    refused = Told(422, "", code="hold_unexpected_state")
    world.diary.intentions[6] = intention("top_up", 9, refused, HOLD, "hld")
    assert world.judged(tmp_path).all() == []
    world.kept.holds[0]["status"] = "active"
    assert world.judged(tmp_path).doubled


@pytest.mark.parametrize(("word", "crime"), CRIMES)
def test_each_loss_and_each_doubling_is_found(
    word: str, crime: Callable[[World], None], tmp_path: Path
) -> None:
    world = World()
    crime(world)
    assert getattr(world.judged(tmp_path), word)


def test_a_seed_makes_the_same_schedule_again_and_a_file_keeps_it(tmp_path: Path) -> None:
    faults = schedule(7, STORM_SECONDS)
    assert faults == schedule(7, STORM_SECONDS)
    assert faults != schedule(8, STORM_SECONDS)
    file = tmp_path / "kept" / "schedule.jsonl"
    write_schedule(file, faults)
    assert read_schedule(file) == faults


@pytest.mark.parametrize("option", ["--minutes", "--customers"])
@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many"])
def test_a_storm_of_nothing_is_refused(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would find nothing wrong."""
    with pytest.raises(SystemExit) as refusal:
        parsed([option, text])
    assert refusal.value.code == NOT_RUN
    assert f"{option}: {text!r} is not more than 0" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(5))
def test_a_quarter_of_an_hour_has_more_than_two_hundred_faults(seed: int) -> None:
    faults = schedule(seed, STORM_SECONDS)
    assert len(faults) > 220
    assert len({(fault.kind, fault.target) for fault in faults}) >= 15
    assert all(0 < fault.at < STORM_SECONDS for fault in faults)


def test_a_failing_schedule_is_shrunk_to_what_makes_it_fail() -> None:
    faults = schedule(3, STORM_SECONDS)
    guilty = [faults[20], faults[90]]
    asked: list[int] = []

    def fails(candidate: list[Fault]) -> bool:
        asked.append(len(candidate))
        return all(fault in candidate for fault in guilty)

    assert shrunk(faults, fails, 10**6) == guilty
    assert len(asked) < 200
    half = shrunk(faults, lambda candidate: faults[0] in candidate, 1)
    assert half == faults[: -(-len(faults) // 2)]


def gaps(faults: list[Fault]) -> list[float]:
    return [round(later.at - earlier.at, 2) for earlier, later in pairwise(faults)]


def test_what_is_left_of_a_schedule_begins_at_once() -> None:
    faults = schedule(3, STORM_SECONDS)[40:50]
    moved = moved_forward(faults)
    assert moved[0].at == FIRST_FAULT_SECONDS
    assert gaps(moved) == gaps(faults)
