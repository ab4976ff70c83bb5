"""One storm from start to verdict, on a stack that is made for it."""

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts.launcher.house import ISO8583, Options
from scripts.launcher.stack import Stack
from scripts.storm.breaking import Breaking
from scripts.storm.customers import Customer
from scripts.storm.diary import Diary
from scripts.storm.doors import Doors
from scripts.storm.faults import Fault
from scripts.storm.found import Findings
from scripts.storm.merchants import Merchant, open_merchants, receive
from scripts.storm.verdict import judge, settled

GLANCE_SECONDS: Final = 0.05
# A network that answers at once leaves no moment to die in.
NETWORK_LATENCY_MS: Final = "5-60"
# Leases are for several.
WORKERS: Final = 2
# Nobody waits longer for a process that is killed every few seconds.
LONGEST_PAUSE_SECONDS: Final = 0.4
# An authorisation that no network answers ends after 30 s, a dead worker's lease too.
SETTLES_WITHIN_SECONDS: Final = 150.0
LAST_WORDS: Final = 32
LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a storm is made of."""

    seed: int
    seconds: float
    customers: int
    faults: list[Fault]


@dataclass(slots=True)
class Outcome:
    """How a storm went; `directory` is kept where something is wrong."""

    diary: Diary
    findings: Findings
    injected: list[Fault] = field(default_factory=list)
    settled_after: float = 0.0
    directory: Path = Path()

    @property
    def good(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.findings.all()


class _Traffic:
    """The customers in a thread of their own: the stack's children belong to the main one."""

    def __init__(self, stack: Stack, plan: Plan) -> None:
        self.diary = Diary()
        self.begun = threading.Event()
        self.over = threading.Event()
        self.quiet = threading.Event()
        self.failure: BaseException | None = None
        self._stack, self._plan = stack, plan
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Open the merchants and begin."""
        self._thread.start()

    def close(self) -> None:
        """The receiver is needed no longer."""
        self.quiet.set()
        self._thread.join()
        self.insist_on_life()

    def insist_on_life(self) -> None:
        """Raises what ended the customers before their time."""
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            asyncio.run(self._storm())
        except BaseException as failure:
            self.failure = failure
        finally:
            self.begun.set()
            self.over.set()

    async def _storm(self) -> None:
        receiver, hook = await receive(self.diary)
        try:
            async with Doors(self._stack.base_url, self._stack.vault_url, self.diary) as doors:
                key = str(self._stack.keys["platform_key"])
                merchants = await open_merchants(doors, key, hook)
                self.begun.set()
                await self._shop(doors, merchants)
                await self._last_words(doors)
            self.over.set()
            await asyncio.to_thread(self.quiet.wait)
        finally:
            await receiver.cleanup()

    async def _shop(self, doors: Doors, merchants: list[Merchant]) -> None:
        until = asyncio.get_running_loop().time() + self._plan.seconds
        customers = [
            Customer(self._plan.seed, number, doors, self.diary, merchants)
            for number in range(self._plan.customers)
        ]
        await asyncio.gather(*(customer.run(until) for customer in customers))

    async def _last_words(self, doors: Doors) -> None:
        """Every second intention that was never answered is asked for again until it is."""
        untold = [each for each in self.diary.intentions if not each.certain][::2]
        turns = asyncio.Semaphore(LAST_WORDS)

        async def ask(number: int) -> None:
            async with turns:
                if not await doors.insist(untold[number]):
                    self.diary.wrong.append(f"never answered again: {untold[number]}")

        await asyncio.gather(*(ask(number) for number in range(len(untold))))


def storm(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Start a stack, let customers and faults loose, wait until all is settled, and judge."""
    directory = Path(tempfile.mkdtemp(prefix="paymint-chaos-", dir="/var/tmp"))  # nosec B108  # mkdtemp: 0700, unforeseeable
    options = Options(
        port=0,
        allow_loopback_webhooks=True,
        network_latency=NETWORK_LATENCY_MS,
        workers=WORKERS,
        networks=ISO8583,
    )
    with Stack(directory, options, longest_pause=LONGEST_PAUSE_SECONDS) as stack:
        traffic = _Traffic(stack, plan)
        traffic.start()
        _tend(stack, traffic.begun.is_set)
        injected = _break(stack, plan, traffic, say)
        traffic.insist_on_life()
        say("traffic is over; waiting until all work is done")
        after = _settle(stack)
        traffic.close()
        outcome = Outcome(traffic.diary, judge(stack, traffic.diary), injected, after, directory)
    if outcome.good:
        shutil.rmtree(directory, ignore_errors=True)
    return outcome


def _tend(stack: Stack, done: Callable[[], bool]) -> None:
    while not done():
        stack.tend()
        time.sleep(GLANCE_SECONDS)


def _break(stack: Stack, plan: Plan, traffic: _Traffic, say: Callable[[str], None]) -> list[Fault]:
    """Inject each fault at its moment while traffic goes on; those that were carried out."""
    breaking, injected = Breaking(stack), list[Fault]()
    began = time.monotonic()
    for fault in plan.faults:
        while time.monotonic() - began < fault.at and not traffic.over.is_set():
            breaking.release()
            stack.tend()
            time.sleep(GLANCE_SECONDS)
        if traffic.over.is_set():
            break
        done = breaking.inject(fault)
        say(f"{fault}{'' if done else '  (was down already)'}")
        if done:
            injected.append(fault)

    def quiet() -> bool:
        breaking.release()
        return traffic.over.is_set()

    _tend(stack, quiet)
    breaking.release(everything=True)
    return injected


def _settle(stack: Stack) -> float:
    """Wait until no work is left; how many seconds that took after the last answer."""
    began = looked = time.monotonic()
    while time.monotonic() - began < SETTLES_WITHIN_SECONDS:
        stack.tend()
        time.sleep(GLANCE_SECONDS)
        if time.monotonic() - looked > LOOK_SECONDS:
            if settled(stack):
                break
            looked = time.monotonic()
    return time.monotonic() - began
