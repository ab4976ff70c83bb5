"""What the main house tells the vault about itself: its publishable keys, that it is there."""

from contract import relay
from vault.store.keys import PublishableKey, PublishableKeyStore


class Announcing:
    """Keeps the vault's own table of publishable keys."""

    def __init__(self, keys: PublishableKeyStore) -> None:
        self._keys = keys

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

    async def echo(self) -> relay.Done:
        """Done when the vault's database answers."""
        await self._keys.touch()
        return relay.Done()
