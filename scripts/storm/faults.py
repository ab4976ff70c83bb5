"""What is broken, and when: a schedule that a seed makes, or that a file has kept."""

import random
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from vault.networks.behaviours import Fault as NetworkFault

Kind = Literal["kill", "quit", "stop", "term", "flush", "sever", "end", "network"]

SHORTEST_GAP_SECONDS: Final = 1.5
LONGEST_GAP_SECONDS: Final = 6.0
# Beyond the 3 s of a network's answer, and beyond the patience of every connection.
SHORTEST_STOP_SECONDS: Final = 0.2
LONGEST_STOP_SECONDS: Final = 4.5
# Long enough for a circuit to open and to be put to the proof.
SHORTEST_OUTAGE_SECONDS: Final = 1.0
LONGEST_OUTAGE_SECONDS: Final = 12.0
REFUSES: Final = "refuses"
DELAYS: Final = "delays"
DELAY_SECONDS: Final = 5.0
_MANNERS: Final = (REFUSES, DELAYS, *(fault.value for fault in NetworkFault))
# Traffic has begun, and everything is warm.
FIRST_FAULT_SECONDS: Final = 2.0
EVERYTHING: Final = "everything"


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault: seconds after traffic began, what is done to whom, for how long, and how."""

    at: float
    kind: Kind
    target: str
    seconds: float = 0.0
    how: str = ""

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:7.1f} s  {self.kind} {self.target}{lasting} {self.how}".rstrip()


class _Chance(NamedTuple):
    kind: Kind
    target: str
    weight: int


# kill -9; quit: PostgreSQL's immediate stop; stop: SIGSTOP, it keeps its connections and
# answers nothing; term: in good order, as a deployment does; flush: Valkey forgets all;
# sever: every database connection breaks; end: all processes at once, as a power cut;
# network: a whole card network refuses, delays or does what the fault cards do.
_CHANCES: Final = (
    _Chance("kill", "paymint-api", 6),
    _Chance("kill", "paymint-vault", 5),
    _Chance("kill", "paymint-worker", 4),
    _Chance("kill", "paymint-worker-2", 3),
    _Chance("kill", "postgres", 4),
    _Chance("kill", "valkey", 3),
    _Chance("kill", "paymint-network", 4),
    _Chance("quit", "postgres", 2),
    _Chance("stop", "paymint-api", 2),
    _Chance("stop", "paymint-vault", 3),
    _Chance("stop", "paymint-worker", 2),
    _Chance("stop", "postgres", 2),
    _Chance("stop", "valkey", 2),
    _Chance("stop", "paymint-network", 3),
    _Chance("term", "paymint-api", 2),
    _Chance("term", "paymint-vault", 2),
    _Chance("term", "paymint-worker", 1),
    _Chance("term", "paymint-network", 1),
    _Chance("flush", "valkey", 2),
    _Chance("sever", "postgres", 2),
    _Chance("end", EVERYTHING, 1),
    _Chance("network", "visa", 5),
    _Chance("network", "mastercard", 3),
    _Chance("network", "amex", 2),
)


def schedule(seed: int, seconds: float) -> list[Fault]:
    """The faults of a storm of so many seconds, the same for the same seed."""
    chance = random.Random(f"faults:{seed}")  # nosec B311  # to be repeated, not to be secret
    weights = [each.weight for each in _CHANCES]
    faults: list[Fault] = []
    at = FIRST_FAULT_SECONDS
    while at < seconds:
        [chosen] = chance.choices(_CHANCES, weights)
        lasts, how = 0.0, ""
        if chosen.kind == "stop":
            lasts = chance.uniform(SHORTEST_STOP_SECONDS, LONGEST_STOP_SECONDS)
        elif chosen.kind == "network":
            lasts = chance.uniform(SHORTEST_OUTAGE_SECONDS, LONGEST_OUTAGE_SECONDS)
            how = chance.choice(_MANNERS)
        faults.append(Fault(round(at, 2), chosen.kind, chosen.target, round(lasts, 2), how))
        at += chance.uniform(SHORTEST_GAP_SECONDS, LONGEST_GAP_SECONDS)
    return faults


def read_schedule(path: Path) -> list[Fault]:
    """The faults of a file, one JSON object a line."""
    lines = path.read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Fault) for line in lines if line.strip()]


def write_schedule(path: Path, faults: list[Fault]) -> None:
    """Keep a schedule for `--schedule`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(fault) + b"\n" for fault in faults))
