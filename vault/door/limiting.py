"""How often a publishable key may be used, each client address for itself.

Anybody can read such a key in a shop's page.  So nobody can use it up for another: bucket and
block belong to key and address together (contract-decisions, "limits"); many addresses at
once are a matter for the log alone.
"""

from domain.allowances import Allowance, of_publishable_key
from domain.allowlists import Network
from domain.client_addresses import client_address
from domain.limit_memory import LimitMemory
from domain.rate_limits import Decision, shared
from runtime.clock import Clock
from runtime.log import log
from vault.door.answers import Message

FORWARDED_FOR = b"x-forwarded-for"


class DoorLimits:
    """Decides in memory: the vault asks nobody outside of itself."""

    def __init__(
        self, clock: Clock, multiplier: int, processes: int, proxies: tuple[Network, ...]
    ) -> None:
        self._clock = clock
        self._multiplier = multiplier
        self._processes = processes
        self._proxies = proxies
        self._memory = LimitMemory()
        self._began_ms = clock.unix_ms() - int(clock.monotonic() * 1000)

    def decide(self, key: str, negotiated: int, scope: Message) -> tuple[Allowance, Decision]:
        """Charge one request with `key` to the address that it came from.

        `negotiated` is its merchant's multiplier; ours is the least that any key has.
        """
        multiplier = max(negotiated, self._multiplier)
        allowance = of_publishable_key(key, self.address(scope), multiplier)
        ours = allowance._replace(rules=shared(allowance.rules, self._processes))
        now_ms = self._began_ms + int(self._clock.monotonic() * 1000)
        decision = self._memory.decide(ours, 1, now_ms)
        if decision.struck:
            log("publishable_key_overused", key=f"{key[:8]}...{key[-4:]}")
        return allowance, decision

    def address(self, scope: Message) -> str:
        """The client's address: the last hop that is not one of our own proxies."""
        client = scope.get("client")
        peer = client[0] if client else ""
        if not self._proxies:
            return peer
        pairs = scope["headers"]
        told = [value.decode("latin-1") for name, value in pairs if name == FORWARDED_FOR]
        return client_address(peer, told, self._proxies)
