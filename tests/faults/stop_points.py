"""Ending the API exactly where it is meant to end, with nothing in the product that helps.

Locks in the database and a vault that is stopped hold a request at the place in question;
then the process is killed.  A statement that was sent is finished by the server although
nobody waits for it, so a scene can end that too (`end_waiters`) or let it commit.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx

from domain.ids import from_text
from tests.serving import eventually
from tests.shop import Merchant, Shop
from tests.vault.networks import misbehave
from vault.networks.outages import Outage

REACHED_SECONDS = 30.0
RESTART_SECONDS = 60.0
RECOVERED_SECONDS = 60.0
GLANCE_SECONDS = 0.005
# Within the 3 s of a network that is well.
ANSWERS_AFTER_SECONDS = 2.0
# Between its first commit and the question in the vault's socket a process takes a moment only.
SENT_SECONDS = 0.5
_WAITING = """SELECT pid FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()"""
# A worker may take up what was left after 10 s; the tests have no such patience.
_DUE_NOW = b"UPDATE payments SET resume_at = now() WHERE resume_at > now()"

Ask = Callable[[], httpx.Response]


class Scene:
    """One request, where it is now, and the end of the process that serves it."""

    def __init__(self, shop: Shop, merchant: Merchant, ask: Ask) -> None:
        self.shop = shop
        self.merchant = merchant
        self._ask = ask
        self._threads = ThreadPoolExecutor(1)
        self._asked: Future[httpx.Response]
        self._merchant_id = from_text("mch", merchant.id)

    def ask(self) -> None:
        """Send the request; nobody waits for its answer here."""
        self._asked = self._threads.submit(self._ask)

    def reached(self, look: Callable[[], object]) -> None:
        """Wait until the request has come to a place, looking often: the place is short."""
        deadline = time.monotonic() + REACHED_SECONDS
        while not look():
            assert time.monotonic() < deadline, "the request never came to this place"
            time.sleep(GLANCE_SECONDS)

    def row(self, condition: str) -> bool:
        """Whether a payment of the merchant is stored that meets the condition."""
        statement = f"SELECT 1 FROM payments WHERE merchant_id = %s AND {condition}"
        with self.shop.superuser_database() as connection:
            found = connection.execute(statement.encode(), (self._merchant_id,)).fetchone()
        return found is not None

    def decided(self, kind: str) -> bool:
        """Whether the network has approved such a thing for the merchant."""
        owner = self.merchant.id.removeprefix("mch_")
        return any(
            (line["merchant"], line["kind"], line["decision"]) == (owner, kind, "approved")
            for line in self.shop.journal()
        )

    @contextmanager
    def locked(self, statement: str) -> Iterator[None]:
        """Nobody else gets past what this statement locks."""
        with self.shop.superuser_database() as connection, connection.transaction():
            connection.execute(statement.encode(), self._parameters(statement))
            yield

    def await_waiter(self) -> None:
        """Somebody stands before a lock."""
        self.reached(self._waiters)

    def end_waiters(self) -> None:
        """What waits for a lock is ended, uncommitted."""
        with self.shop.superuser_database() as connection:
            for process in self._waiters():
                connection.execute("SELECT pg_terminate_backend(%s)", (process,))
        self.reached(lambda: not self._waiters())

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """A process that keeps its connections and answers nothing."""
        process = self.shop.serving.process_id(name)
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)

    @contextmanager
    def slow_network(self) -> Iterator[None]:
        """It decides at once, and its answer takes as long as it takes us to notice."""
        misbehave(self.shop.serving.directory, visa=Outage(delay_seconds=ANSWERS_AFTER_SECONDS))
        try:
            yield
        finally:
            misbehave(self.shop.serving.directory)

    def kill(self, name: str = "paymint-api") -> None:
        os.kill(self.shop.serving.process_id(name), signal.SIGKILL)

    def nobody_was_told(self) -> None:
        """The request ended without an answer: the kill came in time."""
        try:
            answer = self._asked.result(RESTART_SECONDS)
        except httpx.TransportError:
            return
        finally:
            self._threads.shutdown()
        raise AssertionError(f"it was answered: {answer.status_code} {answer.text}")

    def serves_again(self) -> None:
        assert eventually(self.shop.takes_payments, RESTART_SECONDS), "not ready again"

    def asked_again(self) -> httpx.Response:
        """The client's retry, until its key is decided."""
        answers: list[httpx.Response] = []

        def told() -> bool:
            with self.shop.owned_database() as connection:
                connection.execute(_DUE_NOW)
            with suppress(httpx.TransportError):
                answers.append(self._ask())
            return bool(answers) and answers[-1].status_code not in (202, 409, 503)

        assert eventually(told, RECOVERED_SECONDS), [each.text for each in answers[-1:]]
        return answers[-1]

    def _waiters(self) -> list[int]:
        with self.shop.superuser_database() as connection:
            return [row[0] for row in connection.execute(_WAITING.encode()).fetchall()]

    def _parameters(self, statement: str) -> tuple[Any, ...]:
        return (self._merchant_id,) if "%s" in statement else ()


# How a payment shows that the first commit of a request is done, and that the second is; and
# what the network writes down in between.
Place = dict[str, str]
SALE: Place = {"begun": "status = 'pending'", "done": "status = 'captured'", "kind": "sale"}
CAPTURE: Place = {
    "action": "capture",
    "end": "captured",
    "begun": "operation = 'capture'",
    "done": "status = 'captured'",
    "kind": "capture",
}
CANCEL: Place = {
    "action": "cancel",
    "end": "cancelled",
    "begun": "operation = 'cancel'",
    "done": "status = 'cancelled'",
    "kind": "reverse",
}
REFUND: Place = {"done": "amount_refunded > 0"}
KEYS = "LOCK TABLE idempotency_keys IN EXCLUSIVE MODE"
PAYMENT = "SELECT 1 FROM payments WHERE merchant_id = %s FOR UPDATE"
REFUNDS = "LOCK TABLE refunds IN EXCLUSIVE MODE"
AUDIT = "LOCK TABLE audit_entries IN EXCLUSIVE MODE"


def before_the_claim(scene: Scene, place: Place) -> None:
    with scene.locked(KEYS):
        scene.ask()
        scene.await_waiter()
        scene.kill()
        scene.end_waiters()


def while_the_claim_is_written(scene: Scene, place: Place) -> None:
    """The server commits the claim of a process that is dead."""
    with scene.locked(KEYS):
        scene.ask()
        scene.await_waiter()
        scene.kill()


def after_the_claim(scene: Scene, place: Place) -> None:
    """The network is certainly not asked: the vault ends before it has read the question."""
    with scene.stopped("paymint-vault"):
        scene.ask()
        scene.reached(lambda: scene.row(place["begun"]))
        scene.kill()
        scene.kill("paymint-vault")


def with_the_question_on_its_way(scene: Scene, place: Place) -> None:
    """The vault may read the question of a process that is dead."""
    with scene.stopped("paymint-vault"):
        scene.ask()
        scene.reached(lambda: scene.row(place["begun"]))
        scene.kill()


def after_the_network_was_asked(scene: Scene, place: Place) -> None:
    """It has decided and its answer takes its time."""
    with scene.slow_network():
        scene.ask()
        scene.reached(lambda: scene.decided(place["kind"]))
        scene.kill()


def with_both_ends_killed_after_the_network_was_asked(scene: Scene, place: Place) -> None:
    with scene.slow_network():
        scene.ask()
        scene.reached(lambda: scene.decided(place["kind"]))
        scene.kill()
        scene.kill("paymint-vault")


def after_it_answered(scene: Scene, place: Place) -> None:
    """The answer stands in a socket that is never read."""
    with ExitStack() as held:
        with scene.stopped("paymint-vault"):
            scene.ask()
            scene.reached(lambda: scene.row(place["begun"]))
            time.sleep(SENT_SECONDS)
            held.enter_context(scene.stopped("paymint-api"))
        scene.reached(lambda: scene.decided(place["kind"]))
        scene.kill()


def _before_the_commit(scene: Scene, place: Place, committed: bool) -> None:
    with ExitStack() as held:
        with scene.stopped("paymint-vault"):
            scene.ask()
            scene.reached(lambda: scene.row(place["begun"]))
            held.enter_context(scene.locked(PAYMENT))
        scene.reached(lambda: scene.decided(place["kind"]))
        scene.await_waiter()
        scene.kill()
        if not committed:
            scene.end_waiters()


def before_the_commit(scene: Scene, place: Place) -> None:
    """The outcome is known and nowhere stored."""
    _before_the_commit(scene, place, committed=False)


def while_the_commit_is_written(scene: Scene, place: Place) -> None:
    """The server commits the outcome for a process that is dead, where it was one statement."""
    _before_the_commit(scene, place, committed=True)


def after_the_commit_before_the_reply(scene: Scene, place: Place) -> None:
    """An answer leaves once its audit entry is stored; until then it is held here."""
    with scene.locked(AUDIT):
        scene.ask()
        scene.reached(lambda: scene.row(place["done"]))
        scene.kill()
        scene.end_waiters()


def inside_the_transaction(scene: Scene, place: Place) -> None:
    """A refund is one transaction: its key is claimed, its money reserved, nothing committed."""
    with scene.locked(REFUNDS):
        scene.ask()
        scene.await_waiter()
        scene.kill()


POINTS = (
    before_the_claim,
    while_the_claim_is_written,
    after_the_claim,
    with_the_question_on_its_way,
    after_the_network_was_asked,
    with_both_ends_killed_after_the_network_was_asked,
    after_it_answered,
    before_the_commit,
    while_the_commit_is_written,
    after_the_commit_before_the_reply,
)
REFUND_POINTS = (before_the_claim, inside_the_transaction, after_the_commit_before_the_reply)
