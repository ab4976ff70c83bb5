"""Keys: how they are kept, what a guess costs, and what its time betrays.

Revoking at once in every process: tests/journeys/test_two_processes.py.
"""

import os
import re
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from tests.journeys.accounts import new_key, using
from tests.people import PASSWORD, new_address
from tests.serving import eventually
from tests.shop import Merchant, Shop, bearer, error, told
from tests.tenancy.searching import rows_with, tables

# 19 MiB, two passes, one lane (contract-decisions, "Identity"; OWASP's first choice).
AT_REST = re.compile(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")
AT_ONCE = 50
GUESSES = 40
KEYS_AT_ONCE = 40
# Fewer than may wait (flows/authentication.py).
PASSWORDS_AT_ONCE = 30
PATIENCE_SECONDS = 30.0
ROUNDS = 8
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(shop: Shop) -> float:
    """What the API process has spent, all its threads together."""
    stat = Path(f"/proc/{shop.serving.process_id('paymint-api')}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


def hashes(connection: psycopg.Connection[Any]) -> list[tuple[str, str | None]]:
    return [
        (str(display), None if found is None else str(found))
        for display, found in connection.execute("SELECT display, secret_hash FROM api_keys")
    ]


def test_secret_keys_are_kept_as_argon2id_and_their_display_alone(
    shop: Shop, merchant: Merchant
) -> None:
    made = new_key(merchant)["secret"]
    merchant.get("/v1/payments")
    with shop.database() as connection:
        # Other tests copy rows of a key, which are alike then.
        kept = {key for key in hashes(connection) if key[0].startswith("sk_")}
        assert kept
        for _, hashed in kept:
            assert hashed is not None and AT_REST.fullmatch(hashed)
        # Every hash has a salt of its own.
        assert len({hashed for _, hashed in kept}) == len(kept)
        for secret in (made, merchant.secret_key):
            for text in (secret, secret.partition("_test_")[2], secret[-40:]):
                for table, _ in tables(connection):
                    assert rows_with(connection, table, text, without="") == 0, table


def test_the_vault_never_learns_a_secret_key(shop: Shop, merchant: Merchant) -> None:
    assert error(shop.vault.post("/v1/tokens", headers=bearer(merchant.secret_key)))[0] == 403
    with shop.database("paymint-vault") as connection:
        for table, _ in tables(connection):
            assert rows_with(connection, table, merchant.secret_key, without="") == 0
            found = connection.execute(
                sql.SQL(
                    "SELECT count(*) FROM {} AS t WHERE to_jsonb(t)::text LIKE '%argon2%'"
                ).format(sql.Identifier(table))
            ).fetchone()
            assert found == (0,)


@pytest.fixture(scope="module")
def cost_of_a_proof(shop: Shop) -> float:
    """CPU seconds of a first use, in the mean of a few keys."""
    owner = shop.open_account()
    users = [using(owner, new_key(owner)) for _ in range(ROUNDS)]
    before = cpu_seconds(shop)
    for user in users:
        user.get("/v1/payments")
    return (cpu_seconds(shop) - before) / ROUNDS


def test_fifty_first_uses_at_once_are_one_proof(shop: Shop, cost_of_a_proof: float) -> None:
    """Single-flight: fifty proofs would cost fifty times as much."""
    owner = shop.open_account()
    user = using(owner, new_key(owner))
    before = cpu_seconds(shop)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: user.ask("GET", "/v1/payments"), range(AT_ONCE)))
    spent = cpu_seconds(shop) - before
    assert {answer.status_code for answer in answers} == {200}
    assert spent < cost_of_a_proof * AT_ONCE / 2


def test_a_proof_is_remembered(shop: Shop, merchant: Merchant, cost_of_a_proof: float) -> None:
    merchant.get("/v1/payments")
    before = cpu_seconds(shop)
    for _ in range(AT_ONCE):
        merchant.get("/v1/payments")
    assert cpu_seconds(shop) - before < cost_of_a_proof * AT_ONCE / 2


def test_an_id_that_nobody_has_is_refused_without_hashing(
    shop: Shop, merchant: Merchant, cost_of_a_proof: float
) -> None:
    merchant.get("/v1/payments")
    before = cpu_seconds(shop)
    for number in range(GUESSES):
        guess = merchant.secret_key[:12] + f"{number:08}" + merchant.secret_key[20:]
        answer = shop.http.get("/v1/payments", headers=bearer(guess))
        assert error(answer)[:2] == (401, "api_key_invalid")
    assert cpu_seconds(shop) - before < cost_of_a_proof * GUESSES / 2


def test_the_time_of_a_wrong_secret_does_not_tell_how_wrong_it_is(
    shop: Shop, merchant: Merchant
) -> None:
    """Right but for its last letter, or wrong throughout: both cost one proof."""
    right = merchant.secret_key
    half = len(right) - 20
    spent: dict[str, list[float]] = {"nearly": [], "wholly": []}
    for number in range(ROUNDS):
        letter = "ABCDEFGHIJ"[number]
        guesses = {"nearly": right[:-1] + letter, "wholly": right[:half] + letter * 20}
        for kind, guess in guesses.items():
            if guess == right:
                continue
            began = time.perf_counter()
            answer = shop.http.get("/v1/payments", headers=bearer(guess))
            spent[kind].append(time.perf_counter() - began)
            assert error(answer)[:2] == (401, "api_key_invalid")
    ratio = statistics.median(spent["nearly"]) / statistics.median(spent["wholly"])
    assert 0.4 < ratio < 2.5


def test_every_wrong_key_is_refused_in_the_same_words(shop: Shop, merchant: Merchant) -> None:
    """Nothing tells a guess that its id, its merchant or its mode was right."""
    right = merchant.secret_key
    shown = set()
    for guess in (
        right[:-1] + ("a" if right[-1] != "a" else "b"),
        right[:12] + "00000000" + right[20:],
        right.replace("_test_", "_live_"),
        "sk_test_" + "A" * 60,
        "sk_platform_" + "A" * 60,
        "nonsense",
    ):
        answer = shop.http.get("/v1/payments", headers=bearer(guess))
        assert answer.status_code == 401
        fault = answer.json()["error"]
        shown.add((fault["code"], fault["message"], answer.headers["www-authenticate"]))
    assert len(shown) == 1


def test_a_key_that_is_used_wrongly_harms_nobody_else(shop: Shop, merchant: Merchant) -> None:
    """While wrong secrets are proven, one that is remembered is answered at once."""
    merchant.get("/v1/payments")
    wrong = [merchant.secret_key[:-2] + f"{number:02}" for number in range(10)]

    def guess(text: str) -> httpx.Response:
        return shop.http.get("/v1/payments", headers=bearer(text))

    with ThreadPoolExecutor(len(wrong)) as threads:
        guessing = [threads.submit(guess, text) for text in wrong if text != merchant.secret_key]
        for _ in range(5):
            told(merchant.ask("GET", "/v1/payments"), 200)
    assert {each.result().status_code for each in guessing} == {401}


def test_whoever_has_keys_made_keeps_no_key_from_being_proven(shop: Shop) -> None:
    """New secrets are hashed elsewhere: a first use does not queue behind them."""
    # One that queued would do so every time; a busy machine holds up one of them.
    assert any(made_before_a_first_use(shop) < KEYS_AT_ONCE / 2 for _ in range(3))


def made_before_a_first_use(shop: Shop) -> int:
    """How many of the keys that are asked for at once are there when a first use is answered."""
    merchant, other = shop.open_account(), shop.open_account()
    unproven = using(other, new_key(other))
    with ThreadPoolExecutor(KEYS_AT_ONCE) as threads:
        making = [threads.submit(new_key, merchant) for _ in range(KEYS_AT_ONCE)]
        assert eventually(lambda: any(each.done() for each in making), PATIENCE_SECONDS)
        unproven.get("/v1/payments")
        made_before = sum(each.done() for each in making)
        assert all(each.result() for each in making)
    return made_before


def test_whoever_guesses_passwords_keeps_no_key_from_being_proven(
    shop: Shop, merchant: Merchant
) -> None:
    """A first use does not queue behind the passwords that wait to be looked at."""
    unproven = [using(merchant, new_key(merchant)) for _ in range(3)]
    over, guessed, overtaken = threading.Event(), [], []

    def guess() -> None:
        form = {"email": new_address(), "password": PASSWORD, "code": "000000"}
        while not over.is_set():
            sent = {"Origin": shop.base_url}
            guessed.append(shop.http.post("/sign_in", data=form, headers=sent).status_code)

    with ThreadPoolExecutor(PASSWORDS_AT_ONCE) as threads:
        guessing = [threads.submit(guess) for _ in range(PASSWORDS_AT_ONCE)]
        try:
            assert eventually(lambda: len(guessed) >= PASSWORDS_AT_ONCE, PATIENCE_SECONDS)
            for user in unproven:
                before = len(guessed)
                user.get("/v1/payments")
                overtaken.append(len(guessed) - before)
        finally:
            over.set()
        assert all(each.result() is None for each in guessing)
    assert set(guessed) == {422}
    assert min(overtaken) < PASSWORDS_AT_ONCE / 2
