"""Proving that a client of OAuth has its secret.

Argon2id as for keys (PCI DSS 4.0.1 req. 8.3.2), in a thread of its own, so that guessing clients'
secrets does not delay the keys of merchants; who is proven is remembered as a keyed digest.
An address whose secrets fail too often has none looked at for a while: the ids of clients are
public, and a hash is dear.
"""

import asyncio
import hmac
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from domain.allowances import Allowance
from domain.client_addresses import counted_as
from domain.limit_memory import LimitMemory
from domain.rate_limits import MINUTE_MS, window_only
from domain.refusals import TooManyRequests, Unavailable
from runtime.clock import Clock

ARGON2_TIME_COST = 2
ARGON2_MEMORY_KIB = 19 * 1024
REMEMBERED_SECRETS = 1000
MAX_WAITING_PROOFS = 50


class ClientSecrets:
    """Hashes secrets of clients and verifies them."""

    def __init__(self, clock: Clock, failures_per_minute: int) -> None:
        self._clock = clock
        self._failures = LimitMemory()
        self._failing = window_only(failures_per_minute, MINUTE_MS)
        self._pepper = os.urandom(32)
        self._proven: OrderedDict[bytes, None] = OrderedDict()
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, "client-secrets")
        self._hasher = PasswordHasher(
            time_cost=ARGON2_TIME_COST, memory_cost=ARGON2_MEMORY_KIB, parallelism=1
        )

    async def hash(self, text: str) -> str:
        """The hash under which a new secret is stored."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._hasher.hash, text)

    async def proves(self, client_id: UUID, secret_hash: str, text: str, address: str) -> bool:
        """Whether this is the client's secret, shown from `address`.

        Raises TooManyRequests where too many from there were wrong, Unavailable where too many
        are asked at once.
        """
        name = client_id.bytes + secret_hash.encode() + text.encode()
        digest = hmac.digest(self._pepper, name, "sha256")
        if digest in self._proven:
            self._proven.move_to_end(digest)
            return True
        if self._waiting >= MAX_WAITING_PROOFS:
            raise Unavailable
        failing = self._suspect(address)
        self._waiting += 1
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._hasher.verify, secret_hash, text)
        except VerificationError:
            return False
        finally:
            self._waiting -= 1
        self._failures.give_back(failing, 1)
        self._proven[digest] = None
        if len(self._proven) > REMEMBERED_SECRETS:
            self._proven.popitem(last=False)
        return True

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _suspect(self, address: str) -> Allowance:
        """Count a secret that is about to be looked at as wrong."""
        name = counted_as(address)
        failing = Allowance(name, name, self._failing)
        decision = self._failures.decide(failing, 1, int(self._clock.monotonic() * 1000))
        if not decision.allowed:
            raise TooManyRequests("rate_limited", decision.wait_ms)
        return failing
