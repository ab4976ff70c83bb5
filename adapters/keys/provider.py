"""The one thing the vault asks of whoever holds the master key.

PCI DSS 4.0.1 req. 3.6.1.2: keys that encrypt data are stored encrypted by a key that is
at least as strong and is kept apart from them.
"""

from typing import Protocol


class KeyUnusable(Exception):
    """The master key is missing, unsafely stored, or not the one a key was wrapped with."""


class KeyProvider(Protocol):
    """Wraps and unwraps data keys; the master key itself never leaves the provider."""

    async def wrap(self, key: bytes) -> bytes:
        """`key` encrypted under the master key."""
        ...

    async def unwrap(self, wrapped: bytes) -> bytes:
        """The key that `wrap` was given; raises KeyUnusable."""
        ...
