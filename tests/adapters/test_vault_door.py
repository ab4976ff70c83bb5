"""The main house's end of the private door, against a real relay door on real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.vault_door import Refused, Unknown, Unsent, VaultDoor
from adapters.vault_door.door import client_tls
from contract import relay
from runtime.clock import SystemClock
from runtime.frames import PAYLOAD_MAX_BYTES, Kind, encode_frame
from runtime.ids import uuid7
from scripts.launcher.certificates import (
    ensure_certificates,
    make_authority,
    sign_end,
    write_certificate,
    write_key,
)
from tests.cluster import free_port
from vault.door.relay import RelayDoor, server_tls
from vault.outcomes import CallRefused, CallUndecided

LINK_SECONDS = 20.0

Answerer = Callable[[relay.Request, int], Awaitable[relay.Answer]]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    ensure_certificates(directory, datetime.now(UTC))
    return directory


def echo(request_id: str = "req_1") -> relay.Echo:
    return relay.Echo(request_id=request_id, merchant_id=uuid7(), livemode=False)


async def done(request: relay.Request, deadline_ms: int) -> relay.Answer:
    return relay.Done()


@asynccontextmanager
async def vault(
    tls: Path, answer: Answerer = done, port: int | None = None, **options: Any
) -> AsyncIterator[tuple[RelayDoor, int]]:
    port = port or free_port()
    relay_door = RelayDoor(answer, SystemClock(), **options)
    await relay_door.open(port, server_tls(tls))
    try:
        yield relay_door, port
    finally:
        await relay_door.close()


@asynccontextmanager
async def linked(port: int, tls: Path, *clock: SystemClock) -> AsyncIterator[VaultDoor]:
    """A door whose link is there: a handshake on a busy machine outlasts a call's wait for it."""
    async with VaultDoor("127.0.0.1", port, tls, *clock) as door:
        async with asyncio.timeout(LINK_SECONDS):
            while not door.connected:
                await asyncio.sleep(0.005)
        yield door


def test_many_calls_share_one_connection(tls: Path) -> None:
    async def answer(request: relay.Request, deadline_ms: int) -> relay.Answer:
        # Answers leave in another order than the calls came.
        await asyncio.sleep(int(request.request_id) % 5 / 1000)
        assert isinstance(request, relay.Echo)
        return relay.Rejected(code="payment_unknown") if request.livemode else relay.Done()

    async def scenario() -> None:
        async with vault(tls, answer) as (_, port), linked(port, tls) as door:
            answers = await asyncio.gather(*[door.call(echo(str(n))) for n in range(200)])
            assert answers == [relay.Done()] * 200
            assert door.connected

    uvloop.run(scenario())


def test_no_vault_is_unsent_within_the_connect_wait(tls: Path) -> None:
    async def scenario() -> None:
        async with VaultDoor("127.0.0.1", free_port(), tls) as door:
            began = asyncio.get_running_loop().time()
            with pytest.raises(Unsent):
                await door.call(echo())
            assert asyncio.get_running_loop().time() - began < 2.0

    uvloop.run(scenario())


def test_more_than_a_thousand_waiting_are_unsent(tls: Path) -> None:
    async def hang(request: relay.Request, deadline_ms: int) -> relay.Answer:
        await asyncio.sleep(0.3)
        return relay.Done()

    async def scenario() -> None:
        async with vault(tls, hang) as (_, port), linked(port, tls) as door:
            await door.call(echo())
            calls = [door.call(echo()) for _ in range(1500)]
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert sum(isinstance(end, Unsent) for end in ends) == 500
            assert ends.count(relay.Done()) == 1000

    uvloop.run(scenario())


def test_a_busy_vault_refuses(tls: Path) -> None:
    begun: list[str] = []

    async def hang(request: relay.Request, deadline_ms: int) -> relay.Answer:
        begun.append(request.request_id)
        await asyncio.sleep(0.5)
        return relay.Done()

    async def scenario() -> None:
        async with (
            vault(tls, hang, max_running=3) as (_, port),
            linked(port, tls) as door,
        ):
            calls = [door.call(echo()) for _ in range(5)]
            ends = await asyncio.gather(*calls, return_exceptions=True)
            refused = [end for end in ends if isinstance(end, Refused)]
            assert [refusal.reason for refusal in refused] == ["busy", "busy"]
            assert len(begun) == 3

    uvloop.run(scenario())


def test_what_arrives_late_is_refused_and_not_begun(tls: Path) -> None:
    class Yesterday(SystemClock):
        def unix_ms(self) -> int:
            return super().unix_ms() - 24 * 3600 * 1000

    async def scenario() -> None:
        async with (
            vault(tls) as (_, port),
            linked(port, tls, Yesterday()) as door,
        ):
            with pytest.raises(Refused, match="expired"):
                await door.call(echo())

    uvloop.run(scenario())


@pytest.mark.parametrize(
    ("raised", "outcome", "reason"),
    [
        (CallRefused("unavailable"), Refused, "unavailable"),
        (CallUndecided(), Unknown, "undecided"),
        (RuntimeError("4242424242424242"), Unknown, "undecided"),
    ],
)
def test_how_the_vault_ends_a_call_reaches_the_caller(
    tls: Path,
    raised: Exception,
    outcome: type[Exception],
    reason: str,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    async def fail(request: relay.Request, deadline_ms: int) -> relay.Answer:
        raise raised

    async def scenario() -> None:
        async with vault(tls, fail) as (_, port), linked(port, tls) as door:
            with pytest.raises(outcome, match=reason):
                await door.call(echo())

    uvloop.run(scenario())
    assert b"4242424242424242" not in capfdbinary.readouterr().out


def test_a_caller_that_goes_away_does_not_cancel_the_call(tls: Path) -> None:
    begun, finished = 0, 0
    may_answer = asyncio.Event()

    async def slow(request: relay.Request, deadline_ms: int) -> relay.Answer:
        nonlocal begun, finished
        begun += 1
        await may_answer.wait()
        finished += 1
        return relay.Done()

    async def scenario() -> None:
        async with vault(tls, slow) as (_, port), linked(port, tls) as door:
            calls = [asyncio.create_task(door.call(echo(), 20.0)) for _ in range(20)]
            while begun < 20:
                await asyncio.sleep(0.005)
            for call in calls[::2]:
                call.cancel()
            await asyncio.sleep(0.1)
            may_answer.set()
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert ends.count(relay.Done()) == 10
            assert await door.call(echo()) == relay.Done()
            assert finished == 21

    uvloop.run(scenario())


def test_a_time_out_is_unknown_and_its_late_answer_is_dropped(tls: Path) -> None:
    async def slow(request: relay.Request, deadline_ms: int) -> relay.Answer:
        await asyncio.sleep(0.25 if request.request_id == "slow" else 0)
        return relay.Done()

    async def scenario() -> None:
        async with vault(tls, slow) as (_, port), linked(port, tls) as door:
            with pytest.raises(Unknown, match="timed out"):
                await door.call(echo("slow"), timeout_seconds=0.1)
            await asyncio.sleep(0.3)
            assert await door.call(echo()) == relay.Done()

    uvloop.run(scenario())


def test_a_leaving_vault_answers_what_it_began_and_the_next_takes_over(tls: Path) -> None:
    begun = 0

    async def slow(request: relay.Request, deadline_ms: int) -> relay.Answer:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.2)
        return relay.Done()

    async def scenario() -> None:
        async with vault(tls, slow) as (old, port), linked(port, tls) as door:
            early = [asyncio.create_task(door.call(echo())) for _ in range(10)]
            while begun < 10:
                await asyncio.sleep(0.005)
            async with vault(tls, slow, port):
                leaving = asyncio.create_task(old.close())
                await asyncio.sleep(0.02)
                late = [asyncio.create_task(door.call(echo())) for _ in range(10)]
                assert await asyncio.gather(*early, *late) == [relay.Done()] * 20
                await leaving

    uvloop.run(scenario())


def test_an_oversized_request_is_unsent(tls: Path) -> None:
    async def scenario() -> None:
        async with vault(tls) as (_, port), linked(port, tls) as door:
            with pytest.raises(Unsent, match="too large"):
                await door.call(echo("x" * PAYLOAD_MAX_BYTES))

    uvloop.run(scenario())


def test_a_client_without_certificate_is_not_served(tls: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls / "ca.pem")
    uvloop.run(_is_cut_off(tls, context))


def test_a_client_with_another_name_is_not_served(tls: Path, tmp_path: Path) -> None:
    # Signed by the right authority, and still not the main house.
    authority = make_authority(datetime.now(UTC))
    write_certificate(tmp_path / "ca.pem", authority.certificate)
    for end, name in (("api", "stranger"), ("vault", "vault")):
        key = ec.generate_private_key(ec.SECP256R1())
        write_key(tmp_path / f"{end}.key", key)
        certificate = sign_end(authority, name, key, datetime.now(UTC))
        write_certificate(tmp_path / f"{end}.pem", certificate)
    uvloop.run(_is_cut_off(tmp_path, client_tls(tmp_path)))


def test_a_client_whose_certificate_has_ended_is_not_served(tls: Path, tmp_path: Path) -> None:
    write_both(tmp_path, api=365 + 1, vault=0)
    uvloop.run(_is_cut_off(tmp_path, client_tls(tmp_path)))


def test_a_vault_whose_certificate_has_ended_is_not_believed(tmp_path: Path) -> None:
    write_both(tmp_path, api=0, vault=365 + 1)

    async def scenario() -> None:
        async with vault(tmp_path) as (_, port), VaultDoor("127.0.0.1", port, tmp_path) as door:
            with pytest.raises(Unsent):
                await door.call(echo())

    uvloop.run(scenario())


def write_both(directory: Path, **days_ago: int) -> None:
    """Certificates of one authority, signed for a year so many days ago."""
    now = datetime.now(UTC)
    authority = make_authority(now)
    write_certificate(directory / "ca.pem", authority.certificate)
    for end, days in days_ago.items():
        key = ec.generate_private_key(ec.SECP256R1())
        write_key(directory / f"{end}.key", key)
        certificate = sign_end(authority, end, key, now - timedelta(days=days))
        write_certificate(directory / f"{end}.pem", certificate)


async def _is_cut_off(tls: Path, context: ssl.SSLContext) -> None:
    begun: list[str] = []

    async def answer(request: relay.Request, deadline_ms: int) -> relay.Answer:
        begun.append(request.request_id)
        return relay.Done()

    async with vault(tls, answer) as (_, port):
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="paymint-vault"
            )
            deadline_ms = SystemClock().unix_ms() + 3000
            payload = b'{"kind":"echo"}'
            writer.write(encode_frame(Kind.PING, 0))
            writer.write(encode_frame(Kind.CALL, 1, payload, deadline_ms))
            assert await reader.read() == b""
        except OSError:
            pass
        assert begun == []


def test_a_vault_with_another_name_is_not_believed(tls: Path, tmp_path: Path) -> None:
    # The main house's own certificate does not make its holder the vault.
    for name in ("ca.pem", "api.pem", "api.key"):
        (tmp_path / name).write_bytes((tls / name).read_bytes())
    (tmp_path / "vault.pem").write_bytes((tls / "api.pem").read_bytes())
    (tmp_path / "vault.key").write_bytes((tls / "api.key").read_bytes())

    async def scenario() -> None:
        async with vault(tmp_path) as (_, port), VaultDoor("127.0.0.1", port, tls) as door:
            with pytest.raises(Unsent):
                await door.call(echo())
            assert not door.connected

    uvloop.run(scenario())


def test_tls_below_1_3_is_refused(tls: Path) -> None:
    context = client_tls(tls)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    async def scenario() -> None:
        async with vault(tls) as (_, port):
            with pytest.raises(OSError):
                await asyncio.open_connection(
                    "127.0.0.1", port, ssl=context, server_hostname="paymint-vault"
                )

    uvloop.run(scenario())
