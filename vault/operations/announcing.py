"""What the two houses tell each other of themselves: keys, their ages, who is there."""

from datetime import UTC, datetime

from contract import relay
from vault.networks.guard import GuardedNetworks
from vault.store.keys import DataKeyStore, PublishableKey, PublishableKeyStore


class Announcing:
    """Keeps the vault's own table of publishable keys; tells of old keys and of networks away."""

    def __init__(
        self, keys: PublishableKeyStore, data_keys: DataKeyStore, networks: GuardedNetworks
    ) -> None:
        self._keys = keys
        self._data_keys = data_keys
        self._networks = networks

    async def announce(self, request: relay.PublishKey) -> relay.Done:
        """Make a key known as it stands now; at the latest in a second it counts."""
        of = PublishableKey(
            merchant_id=request.merchant_id,
            livemode=request.livemode,
            revoked=request.revoked,
            suspended=request.suspended,
            expires_at=request.expires_at,
        )
        await self._keys.announce(request.key, of)
        return relay.Done()

    async def negotiate(self, request: relay.NegotiateLimit) -> relay.Done:
        """Multiply the limits of a merchant's keys; at the latest in a second it counts."""
        await self._keys.negotiate(request.merchant_id, request.multiplier)
        return relay.Done()

    async def count_old_keys(self, request: relay.CountOldKeys) -> relay.OldKeys:
        """How many keys in use are older than the main house allows."""
        moment = datetime.fromtimestamp(request.born_before_ms / 1000, UTC)
        ages = await self._data_keys.ages(moment)
        return relay.OldKeys(master_keys=ages.master_keys, data_keys=ages.data_keys)

    async def echo(self) -> relay.Present:
        """Present when the vault's database answers."""
        await self._keys.touch()
        return relay.Present(networks_away=self._networks.away())
