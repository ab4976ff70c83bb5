"""From the text of a key to its caller.

A secret key is proven once per process with Argon2id (19 MiB, t=2, p=1), in a bounded
thread pool and once however many requests wait for it; the proof is then remembered as a
keyed digest.  The key's row, with what the request path needs of its merchant, is read
again at most every 60 seconds, and at once when a change was announced (docs/decisions,
announcements).  An unknown id is refused without hashing, and an address whose keys fail
too often is refused before any, so that hashing is no lever to stop us with
(contract-decisions, "Identity").
"""

import asyncio
import hashlib
import math
import os
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from domain import allowlists, api_keys
from domain.allowances import Allowance
from domain.callers import Caller
from domain.client_addresses import counted_as
from domain.limit_memory import LimitMemory
from domain.rate_limits import MINUTE_MS, window_only
from domain.refusals import Forbidden, TooManyRequests, Unauthenticated, Unavailable
from models.accounts import read_key, read_platform_key
from runtime.clock import Clock
from runtime.database import Database, Row

REMEMBERED_KEYS = 10_000
ROW_FRESH_SECONDS = 60.0
PROVING_THREADS = 1
MAX_WAITING_PROOFS = 100
# Passwords and new secrets are hashed in a thread of their own: whoever guesses the ones, or has
# many of the others made, must not keep the keys of merchants from being proven.
OTHER_THREADS = 1
MAX_WAITING_PASSWORDS = 32
MAX_WAITING_SECRETS = 100
# Of one address; each costs a look at the database and, for an id that exists, a hash.
FAILURES_PER_MINUTE = 60
ARGON2_TIME_COST = 2
ARGON2_MEMORY_KIB = 19 * 1024
_NOBODY = UUID(int=0)
_STALE = -math.inf


@dataclass(slots=True)
class _Proven:
    """A key whose secret was proven, and what its row said: a caller, or why it is refused.

    A refused key is remembered too: whoever goes on asking with it must not be hashed again.
    """

    parsed: api_keys.ParsedKey
    caller: Caller | None = None
    refused: str | None = None
    expires_at: datetime | None = None
    read_at: float = _STALE


class KeyRing:
    """Authenticates callers by their secret keys."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        failures_per_minute: int = FAILURES_PER_MINUTE,
    ) -> None:
        self._database = database
        self._clock = clock
        self._failures = LimitMemory()
        self._failing = window_only(failures_per_minute, MINUTE_MS)
        self._pepper = os.urandom(32)
        self._proven: OrderedDict[bytes, _Proven] = OrderedDict()
        self._of_merchant: dict[UUID, set[bytes]] = {}
        # Counts announcements: a row whose reading one overtook may be the old one.
        self._announcements = 0
        self._proving: dict[bytes, asyncio.Task[Caller]] = {}
        self._waiting_passwords = 0
        self._waiting_secrets = 0
        # What the password of nobody is compared with.
        self._nobodys: str | None = None
        self._threads = ThreadPoolExecutor(PROVING_THREADS, "argon2")
        self._other_threads = ThreadPoolExecutor(OTHER_THREADS, "argon2-others")
        self._hasher = PasswordHasher(
            time_cost=ARGON2_TIME_COST, memory_cost=ARGON2_MEMORY_KIB, parallelism=1
        )

    async def authenticate(self, text: str, address: str = "") -> Caller:
        """The caller behind a key, shown from `address`.

        An address from which too many keys have failed proves no others for a while; keys
        that were proven before go on working there.

        Raises 401 `api_key_invalid`, `api_key_revoked`, `api_key_expired`,
        `api_key_suspended`, 403 `key_kind_forbidden` for a publishable key, and 429
        `too_many_failed_authentications`.
        """
        digest = hashlib.blake2b(text.encode(), key=self._pepper, digest_size=32).digest()
        proven = self._proven.get(digest)
        if proven is not None:
            self._proven.move_to_end(digest)
            if self._clock.monotonic() - proven.read_at < ROW_FRESH_SECONDS:
                return self._known(proven)
            return await self._read_again(digest, proven)
        parsed = api_keys.parse(text)
        if parsed is None:
            raise Unauthenticated("api_key_invalid")
        if parsed.kind == "publishable":
            raise Forbidden("key_kind_forbidden")
        task = self._proving.get(digest)
        if task is None:
            if len(self._proving) >= MAX_WAITING_PROOFS:
                raise Unavailable
            failing = self._suspect(address)
            task = asyncio.create_task(self._prove(digest, text, parsed))
            task.add_done_callback(lambda proof: self._clear(proof, failing))
            self._proving[digest] = task
            task.add_done_callback(lambda _: self._proving.pop(digest, None))
        # One caller that hangs up must not fail the others that wait for this proof.
        return await asyncio.shield(task)

    def forget(self, merchant_id: UUID) -> None:
        """Read the keys of this merchant again before they are believed.

        The proof of a key stays: its secret does not change.
        """
        self._announcements += 1
        for digest in self._of_merchant.get(merchant_id, ()):
            self._proven[digest].read_at = _STALE

    def forget_all(self) -> None:
        """Read every key again before it is believed: announcements may have been missed."""
        self._announcements += 1
        for proven in self._proven.values():
            proven.read_at = _STALE

    async def hash_secret(self, text: str) -> str:
        """The Argon2id hash under which a new key or password is stored.

        Raises 503 where too many wait for theirs.
        """
        if self._waiting_secrets >= MAX_WAITING_SECRETS:
            raise Unavailable
        self._waiting_secrets += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._other_threads, self._hasher.hash, text)
        finally:
            self._waiting_secrets -= 1

    @contextmanager
    def room_for_a_password(self) -> Iterator[None]:
        """While a password is looked at; raises 503 where too many are already."""
        if self._waiting_passwords >= MAX_WAITING_PASSWORDS:
            raise Unavailable
        self._waiting_passwords += 1
        try:
            yield
        finally:
            self._waiting_passwords -= 1

    async def verify_password(self, stored: str | None, text: str) -> bool:
        """Whether `text` is the password of this hash; without a hash no, in the same time."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._other_threads, self._is_password, stored, text)

    def close(self) -> None:
        """Stop the threads."""
        for threads in (self._threads, self._other_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    def _is_password(self, stored: str | None, text: str) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(os.urandom(32))
        try:
            self._hasher.verify(stored or self._nobodys, text)
        except VerificationError:
            return False
        return stored is not None

    def _suspect(self, address: str) -> Allowance:
        """Count a proof that is about to begin as failed; raises TooManyRequests."""
        name = counted_as(address)
        failing = Allowance(name, name, self._failing)
        decision = self._failures.decide(failing, 1, int(self._clock.monotonic() * 1000))
        if not decision.allowed:
            raise TooManyRequests("too_many_failed_authentications", decision.wait_ms)
        return failing

    def _clear(self, proof: "asyncio.Task[Caller]", failing: Allowance) -> None:
        """Take the count back unless the key was wrong; a refusal is told by who waits for it."""
        fault = None if proof.cancelled() else proof.exception()
        wrong = isinstance(fault, Unauthenticated) and fault.code == "api_key_invalid"
        if not wrong:
            self._failures.give_back(failing, 1)

    async def _prove(self, digest: bytes, text: str, parsed: api_keys.ParsedKey) -> Caller:
        announcements = self._announcements
        row = await self._row(parsed)
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, self._hasher.verify, row["secret_hash"], text)
        except VerificationError:
            raise Unauthenticated("api_key_invalid") from None
        proven = self._proven[digest] = _Proven(parsed)
        self._of_merchant.setdefault(parsed.merchant_id, set()).add(digest)
        while len(self._proven) > REMEMBERED_KEYS:
            self._drop(next(iter(self._proven)))
        return self._settled(proven, row, announcements)

    async def _read_again(self, digest: bytes, proven: _Proven) -> Caller:
        announcements = self._announcements
        try:
            row = await self._row(proven.parsed)
        except Unauthenticated:
            self._drop(digest)
            raise
        return self._settled(proven, row, announcements)

    def _settled(self, proven: _Proven, row: Row, announcements: int) -> Caller:
        """Remember what the row says of a proven key, and answer it."""
        proven.read_at = self._read_at(announcements)
        proven.expires_at = row.get("expires_at")
        proven.caller = proven.refused = None
        try:
            proven.caller = self._caller(proven.parsed, row)
        except Unauthenticated as refusal:
            proven.refused = refusal.code
        return self._known(proven)

    def _known(self, proven: _Proven) -> Caller:
        if proven.caller is None:
            raise Unauthenticated(proven.refused or "api_key_invalid")
        if proven.expires_at is not None and proven.expires_at <= self._clock.now():
            raise Unauthenticated("api_key_expired")
        return proven.caller

    def _read_at(self, announcements: int) -> float:
        """The present moment for a row that no announcement has overtaken."""
        return self._clock.monotonic() if announcements == self._announcements else _STALE

    def _drop(self, digest: bytes) -> None:
        proven = self._proven.pop(digest, None)
        if proven is None:
            return
        merchant_id = proven.parsed.merchant_id
        of_merchant = self._of_merchant[merchant_id]
        of_merchant.discard(digest)
        if not of_merchant:
            del self._of_merchant[merchant_id]

    async def _row(self, parsed: api_keys.ParsedKey) -> Row:
        async with self._database.reading() as transaction:
            if parsed.kind == "platform":
                row = await read_platform_key(transaction, parsed.key_id)
            else:
                row = await read_key(transaction, parsed.merchant_id, parsed.key_id)
        if row is None or not row["secret_hash"]:
            raise Unauthenticated("api_key_invalid")
        return row

    def _caller(self, parsed: api_keys.ParsedKey, row: Row) -> Caller:
        if parsed.kind == "platform":
            return Caller(
                merchant_id=_NOBODY,
                livemode=False,
                key_id=parsed.key_id,
                key_display=row["display"],
                scopes=frozenset({"platform:admin"}),
                merchant_status="active",
                kind="platform",
            )
        if row["livemode"] != parsed.livemode:
            raise Unauthenticated("api_key_invalid")
        if row["revoked_at"] is not None:
            raise Unauthenticated("api_key_revoked")
        if row["expires_at"] is not None and row["expires_at"] <= self._clock.now():
            raise Unauthenticated("api_key_expired")
        if row["suspended_at"] is not None:
            raise Unauthenticated("api_key_suspended")
        allowed = row["ip_allowlist"]
        return Caller(
            merchant_id=row["merchant_id"],
            livemode=row["livemode"],
            key_id=row["id"],
            key_display=row["display"],
            scopes=frozenset(row["scopes"]),
            merchant_status=row["merchant_status"],
            allowed_from=None if allowed is None else allowlists.networks(allowed),
            terminated_at=row["merchant_terminated_at"],
            api_version=row["api_version"],
            frozen_time=row["frozen_time"],
            rate_limit_multiplier=row["rate_limit_multiplier"],
        )
