"""Keys: bound to merchant and instrument, rotated without loss, kept in a private file."""

import asyncio
import os
from pathlib import Path
from uuid import UUID

import pytest

from adapters.keys import KeyUnusable, MasterKey, NewKey, WrappedKeys, file_provider
from adapters.keys.ring import REMEMBERED_SECONDS
from runtime.clock import SystemClock
from runtime.ids import uuid7
from vault.keyring import Keyring, SealBroken


class MemoryStore:
    """A key store that counts how often it is read."""

    def __init__(self) -> None:
        self.kept: dict[tuple[UUID, str], dict[int, bytes]] = {}
        self.loads = 0

    async def load(self, merchant_id: UUID, purpose: str) -> WrappedKeys:
        self.loads += 1
        await asyncio.sleep(0)
        return sorted(self.kept.get((merchant_id, purpose), {}).items())

    async def samples(self) -> list[bytes]:
        return [key for versions in self.kept.values() for key in versions.values()][:1]

    async def add(self, key: NewKey) -> bool:
        self.kept.setdefault((key.owner, key.use), {}).setdefault(key.version, key.wrapped)
        return True

    async def meet(self, master: MasterKey) -> None:
        raise AssertionError(f"{master.name} was never refused")


class MovableClock(SystemClock):
    """A clock that a test may put forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def keyring(directory: Path, store: MemoryStore, clock: SystemClock | None = None) -> Keyring:
    return Keyring(store, file_provider(directory / "keys"), clock or SystemClock())


def test_what_was_sealed_opens_for_its_instrument_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        ring = keyring(tmp_path, MemoryStore())
        mine, other = uuid7(), uuid7()
        keys, foreign = await ring.of(mine), await ring.of(other)
        instrument_id = uuid7()
        sealed = keys.seal(instrument_id, b"number")
        assert keys.open(instrument_id, 1, sealed) == b"number"
        assert keys.seal(instrument_id, b"number") != sealed
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        for opener, named, version, data in [
            (keys, uuid7(), 1, sealed),
            (keys, instrument_id, 2, sealed),
            (keys, instrument_id, 1, changed),
            (foreign, instrument_id, 1, sealed),
        ]:
            with pytest.raises(SealBroken):
                opener.open(named, version, data)

    asyncio.run(scenario())


def test_rotation_keeps_old_seals_and_fingerprints(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        ring, elsewhere = keyring(tmp_path, store), keyring(tmp_path, store)
        merchant_id, instrument_id = uuid7(), uuid7()
        before, stale = await ring.of(merchant_id), await elsewhere.of(merchant_id)
        sealed = before.seal(instrument_id, b"number")
        assert await ring.add_version(merchant_id) == 2
        after = await ring.of(merchant_id)
        assert after.newest_version == 2
        assert after.open(instrument_id, 1, sealed) == b"number"
        assert after.fingerprint(False, "card 4242") == before.fingerprint(False, "card 4242")
        # A process that has not heard of the rotation reads its keys again.
        newer = after.seal(instrument_id, b"number")
        assert not stale.knows(2)
        found = await elsewhere.keys_with(merchant_id, 2)
        assert found.open(instrument_id, 2, newer) == b"number"

    asyncio.run(scenario())


def test_digests_differ_by_merchant_mode_and_use(tmp_path: Path) -> None:
    async def scenario() -> None:
        ring = keyring(tmp_path, MemoryStore())
        one, two = await ring.of(uuid7()), await ring.of(uuid7())
        made = [
            one.fingerprint(False, "x"),
            one.fingerprint(True, "x"),
            two.fingerprint(False, "x"),
            one.request_digest(False, "x")[:32],
            one.fingerprint(False, "y"),
        ]
        assert len(set(made)) == len(made)
        assert one.fingerprint(False, "x") == made[0]

    asyncio.run(scenario())


def test_keys_are_opened_once_and_read_again_after_five_minutes(tmp_path: Path) -> None:
    async def scenario() -> None:
        store, clock = MemoryStore(), MovableClock()
        ring = keyring(tmp_path, store, clock)
        merchant_id = uuid7()
        opened = await asyncio.gather(*[ring.of(merchant_id) for _ in range(50)])
        assert len(set(map(id, opened))) == 1
        loads = store.loads
        await ring.of(merchant_id)
        assert store.loads == loads
        clock.ahead = REMEMBERED_SECONDS + 1
        assert ring.at_hand(merchant_id) is None
        await ring.of(merchant_id)
        assert store.loads > loads

    asyncio.run(scenario())


def test_nothing_is_wrapped_where_another_key_took_the_place(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        known = uuid7()
        await keyring(tmp_path, store).of(known)
        (tmp_path / "keys").rename(tmp_path / "mislaid")
        stray = keyring(tmp_path, store)
        with pytest.raises(KeyUnusable, match="put the right master key back"):
            await stray.prove()
        before = {place: dict(versions) for place, versions in store.kept.items()}
        with pytest.raises(KeyUnusable):
            await stray.of(uuid7())
        assert store.kept == before
        (tmp_path / "keys" / "master.key").unlink()
        (tmp_path / "mislaid" / "master.key").rename(tmp_path / "keys" / "master.key")
        # The same process goes on once the right key is there.
        await stray.prove()
        await stray.of(known)
        await stray.of(uuid7())

    asyncio.run(scenario())


def test_the_master_key_is_made_once_and_private(tmp_path: Path) -> None:
    async def scenario() -> None:
        wrapped = await file_provider(tmp_path / "keys").wrap(b"k" * 32)
        assert await file_provider(tmp_path / "keys").unwrap(wrapped) == b"k" * 32
        with pytest.raises(KeyUnusable):
            await file_provider(tmp_path / "other").unwrap(wrapped)

    asyncio.run(scenario())
    path = tmp_path / "keys" / "master.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o400, 0o666])
def test_a_master_key_with_another_mode_is_refused(tmp_path: Path, mode: int) -> None:
    file_provider(tmp_path)
    os.chmod(tmp_path / "master.key", mode)
    with pytest.raises(KeyUnusable, match="0600"):
        file_provider(tmp_path)


def test_a_damaged_master_key_is_refused(tmp_path: Path) -> None:
    file_provider(tmp_path)
    (tmp_path / "master.key").write_bytes(b"short")
    with pytest.raises(KeyUnusable, match="32 bytes"):
        file_provider(tmp_path)


def test_a_linked_master_key_is_refused(tmp_path: Path) -> None:
    file_provider(tmp_path / "real")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "master.key").symlink_to(tmp_path / "real" / "master.key")
    with pytest.raises(OSError):
        file_provider(tmp_path / "keys")
