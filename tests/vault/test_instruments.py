"""Tokens and saved instruments: described, saved, renewed, erased, never found in clear."""

import asyncio
import json
from uuid import UUID

import psycopg
import pytest

from contract import relay
from domain.refusals import Conflict
from runtime.ids import uuid7
from tests.vault.house import House
from tests.vault.merchant import Merchant, card
from tests.vault.test_attempts import played
from vault.operations.reading import CardRefused
from vault.store.instruments import InstrumentStore

# Found nowhere else by chance.
MARKED = "4929130847561029"
MARKED_CVC = "8461"
MARKED_AMEX = "371449635398431"


def described(instrument_id: UUID, payer: Merchant) -> relay.Describe:
    return relay.Describe(**payer.scope, instrument_id=instrument_id)


def test_equal_numbers_have_equal_fingerprints_within_a_merchant_only(served: House) -> None:
    prints: list[str] = []

    async def scenario(payer: Merchant) -> None:
        for number in (MARKED, MARKED, "4242424242424242"):
            answer = await payer.door.call(described(await payer.token(number), payer))
            assert isinstance(answer, relay.Instrument)
            prints.append(answer.fingerprint)

    played(served, scenario)
    played(served, scenario)
    assert prints[0] == prints[1] != prints[2]
    assert prints[3] == prints[4] and len(set(prints)) == 4


def test_attach_saves_once_and_spends_the_token(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        token_id, method_id = await payer.token(), uuid7()
        request = relay.Attach(**payer.scope, token_id=token_id, method_id=method_id)
        answers = await asyncio.gather(*[payer.door.call(request) for _ in range(10)])
        assert all(answer == answers[0] for answer in answers)
        assert isinstance(answers[0], relay.Instrument) and answers[0].id == method_id
        elsewhere = relay.Attach(**payer.scope, token_id=token_id, method_id=uuid7())
        assert await payer.door.call(elsewhere) == relay.Rejected(code="token_already_used")
        spent = await payer.door.call(payer.authorise(token_id))
        assert spent == relay.Rejected(code="token_already_used")
        for _ in range(2):
            assert isinstance(await payer.door.call(payer.authorise(method_id)), relay.Decision)

    played(served, scenario)


def test_attaching_the_same_card_again_renews_its_expiry(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        method_id = await payer.method()
        body = card()
        body["card"]["exp_year"] = 2044
        renewed, _ = await payer.tokenising.make(payer.key, body, None)
        answer = await payer.door.call(
            relay.Attach(**payer.scope, token_id=renewed.id, method_id=method_id)
        )
        assert isinstance(answer, relay.Instrument) and answer.exp_year == 2044
        # Another card does not take its place, and its token is not lost by the attempt.
        other = await payer.token("5555555555554444")
        await payer.door.call(relay.Attach(**payer.scope, token_id=other, method_id=method_id))
        unchanged = await payer.door.call(described(method_id, payer))
        assert isinstance(unchanged, relay.Instrument) and unchanged.last_four == "4242"
        assert isinstance(await payer.door.call(described(other, payer)), relay.Instrument)

    played(served, scenario)


def test_erased_means_gone(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        method_id = await payer.method()
        for _ in range(2):
            erased = await payer.door.call(relay.Erase(**payer.scope, instrument_id=method_id))
            assert erased == relay.Done()
        unknown = relay.Rejected(code="instrument_unknown")
        assert await payer.door.call(payer.authorise(method_id)) == unknown
        assert await payer.door.call(described(method_id, payer)) == unknown
        query = f"SELECT state, ciphertext FROM instruments WHERE id = '{method_id}'"
        assert served.rows(query) == [("erased", None)]

    played(served, scenario)


def test_an_unused_token_expires_and_its_number_is_erased(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        token_id = await payer.token()
        with psycopg.connect(served.database_url) as connection:
            late = "UPDATE instruments SET expires_at = now() - interval '1 s' WHERE id = %s"
            connection.execute(late, (token_id,))
        expired = relay.Rejected(code="token_expired")
        assert await payer.door.call(payer.authorise(token_id)) == expired
        instruments: InstrumentStore = payer.tokenising._instruments
        assert await instruments.erase_overdue() >= 1
        query = f"SELECT state, ciphertext FROM instruments WHERE id = '{token_id}'"
        assert served.rows(query) == [("erased", None)]
        assert await payer.door.call(payer.authorise(token_id)) == expired
        attach = relay.Attach(**payer.scope, token_id=token_id, method_id=uuid7())
        assert await payer.door.call(attach) == expired

    played(served, scenario)


def test_one_request_key_makes_one_token(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        key = uuid7()
        bodies = [card(cvc=cvc) for cvc in ("123", "456", None)] * 10
        made = await asyncio.gather(
            *[payer.tokenising.make(payer.key, body, key) for body in bodies]
        )
        assert len({stored.id for stored, _ in made}) == 1
        assert sum(not replayed for _, replayed in made) == 1
        with pytest.raises(Conflict):
            await payer.tokenising.make(payer.key, card("5555555555554444"), key)

    played(served, scenario)


def test_a_refusal_is_replayed_and_binds_its_key(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        key = uuid7()
        for _ in range(2):
            with pytest.raises(CardRefused, match="incorrect_number"):
                await payer.tokenising.make(payer.key, card("4242424242424241"), key)
        with pytest.raises(Conflict):
            await payer.tokenising.make(payer.key, card(), key)

    played(served, scenario)


def test_no_number_and_no_code_leaves_the_sealed_column(served: House) -> None:
    """PCI DSS 4.0.1 req. 3.3.1, 3.4.1, 3.5.1: everything the vault writes is searched."""

    async def scenario(payer: Merchant) -> None:
        body = card(MARKED_AMEX, MARKED_CVC)
        token, _ = await payer.tokenising.make(payer.key, body, uuid7())
        assert isinstance(await payer.door.call(payer.authorise(token.id)), relay.Decision)
        method_id = await payer.method(MARKED)
        await payer.door.call(payer.authorise(method_id))

    played(served, scenario)
    written = [served.log_path.read_bytes(), *_files(served)]
    for (table,) in served.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        for (row,) in served.rows(f'SELECT to_jsonb(t) FROM "{table}" t'):
            written.append(json.dumps(row).encode())
    everything = b"\n".join(written)
    assert b"approved" in everything
    for secret in (MARKED, MARKED_AMEX):
        assert secret.encode() not in everything
        # Not as bytes written in hex either, which is how a row shows its sealed column.
        assert secret.encode().hex().encode() not in everything
    assert f'"{MARKED_CVC}"'.encode() not in everything


def _files(served: House) -> list[bytes]:
    return [path.read_bytes() for path in served.directory.rglob("*") if path.is_file()]
