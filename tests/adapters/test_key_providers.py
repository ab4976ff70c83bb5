"""One suite for every holder of master keys: files, a PKCS#11 token, AWS KMS.

The token is SoftHSM2; AWS KMS is played by moto's server, a stand-in that speaks the same
protocol over HTTP: what AWS itself would do is not shown here.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from adapters.keys import (
    KeyProvider,
    KeysOutOfReach,
    KeyUnusable,
    MasterKey,
    NewKey,
    Seals,
    WrappedKeys,
    master_of,
    open_provider,
)
from adapters.keys.ring import REMEMBERED_SECONDS
from runtime.clock import SystemClock
from runtime.ids import uuid7
from tests.softhsm import PIN, Token, token

KEY = bytes(range(32))
SHORT_SECONDS = 0.2
PATIENT_SECONDS = 20.0
HOLDERS = ("file", "pkcs11", "aws-kms")

Setting = Callable[[], str]


@pytest.fixture(scope="session")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Token:
    return token(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(scope="session")
def kms() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=HOLDERS)
def setting(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """PAYMINT_KEY_PROVIDER for a holder with a first key of its own."""
    if request.param == "file":
        return f"file:{tmp_path / 'keys'}"
    if request.param == "pkcs11":
        held: Token = request.getfixturevalue("hsm")
        return held.uri(uuid4().hex)
    url: str = request.getfixturevalue("kms")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "played")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "played")
    alias = f"alias/{uuid4().hex}"
    client = boto3.client("kms", region_name="eu-central-1", endpoint_url=url)
    made = client.create_key()["KeyMetadata"]["KeyId"]
    client.create_alias(AliasName=alias, TargetKeyId=made)
    return f"aws-kms:{alias}?region=eu-central-1&endpoint-url={url}"


def test_what_was_wrapped_names_its_master_key_and_is_unwrapped(setting: str) -> None:
    async def scenario() -> None:
        provider, elsewhere = open_provider(setting), open_provider(setting)
        wrapped = await provider.wrap(KEY)
        assert KEY not in wrapped and await provider.wrap(KEY) != wrapped
        current = await elsewhere.current()
        assert master_of(wrapped) == current.name
        assert current.name.startswith(setting.partition(":")[0] + ":")
        assert abs(datetime.now(UTC) - current.created_at) < timedelta(minutes=1)
        assert await elsewhere.unwrap(wrapped) == KEY

    asyncio.run(scenario())


def test_several_master_keys_are_read_and_the_newest_wraps(setting: str) -> None:
    async def scenario() -> None:
        provider, elsewhere = open_provider(setting), open_provider(setting)
        before = await elsewhere.wrap(KEY)
        made = await provider.make()
        assert (await elsewhere.current()).name == made.name
        after = await elsewhere.wrap(KEY)
        assert master_of(before) != master_of(after) == made.name
        for reader in (provider, elsewhere):
            assert await reader.unwrap(before) == await reader.unwrap(after) == KEY

    asyncio.run(scenario())


def test_a_retired_master_key_unwraps_nothing_and_says_why(setting: str) -> None:
    async def scenario() -> None:
        provider, elsewhere = open_provider(setting), open_provider(setting)
        before = await elsewhere.wrap(KEY)
        await provider.make()
        for _ in range(2):
            await provider.retire(master_of(before))
        assert await elsewhere.unwrap(await elsewhere.wrap(KEY)) == KEY
        if setting.startswith("aws-kms:"):
            # The stand-in keeps the state and does not act on it; see the next test.
            assert not kms_is_enabled(setting, master_of(before))
            return
        for reader in (provider, elsewhere):
            with pytest.raises(KeyUnusable, match="retired"):
                await reader.unwrap(before)

    asyncio.run(scenario())


def kms_is_enabled(setting: str, master: str) -> bool:
    url = setting.partition("endpoint-url=")[2]
    client = boto3.client("kms", region_name="eu-central-1", endpoint_url=url)
    about = client.describe_key(KeyId=master.rpartition("/")[2])["KeyMetadata"]
    return bool(about["Enabled"])


class _Refusing(BaseHTTPRequestHandler):
    """What AWS documents as its answer for a disabled key, to whatever is asked."""

    def do_POST(self) -> None:
        body = b'{"__type": "DisabledException", "message": "arn is disabled."}'
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_key_that_the_service_has_disabled_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "played")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "played")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"

    async def scenario() -> None:
        provider = open_provider(f"aws-kms:alias/x?region=eu-central-1&endpoint-url={url}")
        with pytest.raises(KeyUnusable, match="DisabledException"):
            await provider.unwrap(b"pmk1" + bytes([9]) + b"aws-kms:x" + KEY)

    try:
        asyncio.run(scenario())
    finally:
        server.shutdown()
        server.server_close()


def test_what_was_altered_or_is_no_key_is_unusable(setting: str) -> None:
    async def scenario() -> None:
        provider = open_provider(setting)
        wrapped = await provider.wrap(KEY)
        altered = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
        unknown = b"pmk1" + bytes([len(setting)]) + setting.encode() + wrapped
        for wrong in (altered, unknown, b"", b"pmk1", wrapped[:4]):
            with pytest.raises(KeyUnusable):
                await provider.unwrap(wrong)
        assert await provider.unwrap(wrapped) == KEY

    asyncio.run(scenario())


def test_one_holder_takes_over_from_another(setting: str, tmp_path: Path) -> None:
    if setting.startswith("file:"):
        pytest.skip("one kind is named once: files move within their directory")

    async def scenario() -> None:
        files = f"file:{tmp_path / 'before'}"
        before = await open_provider(files).wrap(KEY)
        both = open_provider(f"{setting} {files}")
        assert await both.unwrap(before) == KEY
        assert master_of(await both.wrap(KEY)).startswith(setting.partition(":")[0])
        with pytest.raises(KeyUnusable, match="PAYMINT_KEY_PROVIDER"):
            await open_provider(setting).unwrap(before)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        ("boto3", "aws-kms:alias/x?region=eu-central-1"),
        ("pkcs11", "pkcs11:token=t;object=o?module-path=/m&pin-source=env:PIN"),
    ],
)
def test_a_missing_package_is_said_at_the_start(
    missing: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(KeyUnusable, match=r"requirements/cloud\.txt"):
        open_provider(asked)


@pytest.mark.parametrize(
    "wrong", ["", "vault:x", "file:/a file:/b", "aws-kms:", "pkcs11:token=t", "pkcs11:token=t?x=y"]
)
def test_a_wrong_setting_is_said_at_the_start(wrong: str) -> None:
    with pytest.raises(KeyUnusable, match="PAYMINT_KEY_PROVIDER"):
        open_provider(wrong)


def test_a_pin_is_in_no_message(hsm: Token) -> None:
    async def scenario() -> None:
        asked = hsm.uri("x").replace("token=paymint", "token=elsewhere")
        with pytest.raises(KeysOutOfReach) as raised:
            await open_provider(asked).current()
        assert PIN not in str(raised.value)

    asyncio.run(scenario())


def test_a_service_out_of_reach_is_no_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "played")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "played")

    async def scenario() -> None:
        provider = open_provider(
            "aws-kms:alias/x?region=eu-central-1&endpoint-url=http://127.0.0.1:9"
        )
        with pytest.raises(KeysOutOfReach):
            await provider.wrap(KEY)

    asyncio.run(scenario())


class PlayedHolder:
    """A holder that a test can hang or break."""

    kind = "played"

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.broken = False
        self.asked = 0

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        self._answer()
        return "one", key[::-1]

    def unwrap(self, master: str, body: bytes) -> bytes:
        self._answer()
        return body[::-1]

    def current(self) -> tuple[str, datetime]:
        self._answer()
        return "one", datetime.now(UTC)

    make = current

    def retire(self, master: str) -> None:
        self._answer()

    def _answer(self) -> None:
        self.asked += 1
        self.may_answer.wait(5.0)
        if self.broken:
            raise OSError("the line to the holder at 10.0.0.7 broke")


def test_a_hanging_holder_is_given_up_and_keeps_four_threads_at_most() -> None:
    async def scenario() -> None:
        holder = PlayedHolder()
        provider = KeyProvider([holder], SHORT_SECONDS)
        holder.may_answer.clear()
        began = time.monotonic()
        calls = [provider.wrap(KEY) for _ in range(12)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, KeysOutOfReach) for each in outcomes)
        assert time.monotonic() - began < 10 * SHORT_SECONDS
        assert holder.asked <= 4
        holder.may_answer.set()
        wrapped = await _soon(provider)
        assert await provider.unwrap(wrapped) == KEY

    asyncio.run(scenario())


async def _soon(provider: KeyProvider) -> bytes:
    async with asyncio.timeout(PATIENT_SECONDS):
        while True:
            try:
                return await provider.wrap(KEY)
            except KeysOutOfReach:
                await asyncio.sleep(0.01)


class MovableClock(SystemClock):
    """A clock that a test may put forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class MemoryKeys:
    """Data keys in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[object, str], dict[int, bytes]] = {}

    async def load(self, owner: object, use: str) -> WrappedKeys:
        return sorted(self.kept.get((owner, use), {}).items())

    async def samples(self) -> list[bytes]:
        return [key for versions in self.kept.values() for key in versions.values()][:1]

    async def add(self, key: NewKey) -> bool:
        self.kept.setdefault((key.owner, key.use), {}).setdefault(key.version, key.wrapped)
        return True

    async def meet(self, master: MasterKey) -> None:
        raise AssertionError(f"{master.name} was never refused")


def test_remembered_keys_work_on_while_the_holder_is_away() -> None:
    async def scenario() -> None:
        holder, clock = PlayedHolder(), MovableClock()
        seals = Seals(MemoryKeys(), KeyProvider([holder], PATIENT_SECONDS), clock)
        owner = uuid7()
        sealed = await seals.seal(owner, "name", b"Ada")
        holder.broken = True
        asked = holder.asked
        for _ in range(3):
            clock.ahead += REMEMBERED_SECONDS + 1
            assert await seals.open(owner, "name", sealed) == b"Ada"
            assert await seals.open(owner, "name", await seals.seal(owner, "name", b"x")) == b"x"
        # Looked at anew each time, and unwrapped once for all.
        assert holder.asked == asked
        with pytest.raises(KeysOutOfReach) as raised:
            await seals.seal(uuid7(), "name", b"x")
        assert "10.0.0.7" not in str(raised.value)
        holder.broken = False
        await seals.seal(uuid7(), "name", b"x")

    asyncio.run(scenario())
