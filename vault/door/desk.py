"""Who stands at the token door: publishable keys and nobody else."""

from collections import OrderedDict
from typing import NamedTuple

from domain.refusals import Forbidden, Unauthenticated
from runtime.clock import Clock
from vault.store.keys import PublishableKey, PublishableKeyStore

# Revoked means refused within a second everywhere.
KEPT_SECONDS = 0.5
KEPT_AT_MOST = 10_000
KEY_MAX_LENGTH = 200
_SCHEME = "bearer"
_PUBLISHABLE_PREFIX = "pk_"
_SECRET_PREFIX = "sk_"  # nosec B105  # of every secret key


class _Kept(NamedTuple):
    key: PublishableKey | None
    until: float


class Desk:
    """Knows a key again for half a second, whether it is good or not."""

    def __init__(self, keys: PublishableKeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def admit(self, authorization: str | None) -> tuple[str, PublishableKey]:
        """The key of an Authorization header and its row; raises Unauthenticated, Forbidden."""
        text = _bearer(authorization)
        if text.startswith(_SECRET_PREFIX):
            # Refused by its looks: the vault never learns a secret key, not even by asking.
            raise Forbidden("key_kind_forbidden")
        if not text.startswith(_PUBLISHABLE_PREFIX) or len(text) > KEY_MAX_LENGTH:
            raise Unauthenticated("api_key_invalid")
        key = await self._look_up(text)
        if key is None:
            raise Unauthenticated("api_key_invalid")
        if key.revoked:
            raise Unauthenticated("api_key_revoked")
        if key.expires_at is not None and key.expires_at <= self._clock.now():
            raise Unauthenticated("api_key_expired")
        if key.suspended:
            raise Unauthenticated("api_key_suspended")
        return text, key

    async def _look_up(self, text: str) -> PublishableKey | None:
        now = self._clock.monotonic()
        kept = self._kept.get(text)
        if kept is not None and kept.until > now:
            return kept.key
        key = await self._keys.look_up(text)
        self._kept[text] = _Kept(key, now + KEPT_SECONDS)
        self._kept.move_to_end(text)
        if len(self._kept) > KEPT_AT_MOST:
            self._kept.popitem(last=False)
        return key


def _bearer(authorization: str | None) -> str:
    if authorization is None:
        raise Unauthenticated("api_key_missing")
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != _SCHEME or not text.strip():
        raise Unauthenticated("api_key_missing")
    return text.strip()
