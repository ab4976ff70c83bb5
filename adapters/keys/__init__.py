"""Who holds the master keys (files here, a key service or an HSM elsewhere), what they wrap."""

from adapters.keys.opening import file_provider, open_provider
from adapters.keys.provider import (
    KeyProvider,
    KeysOutOfReach,
    KeyUnusable,
    master_of,
)
from adapters.keys.ring import SEAL, DataKeys, Ring
from adapters.keys.seals import PLATFORM, OwnerKeys, SealBroken, Seals
from runtime.wrapped_keys import MasterKey, NewKey, WrappedKeys

__all__ = [
    "PLATFORM",
    "SEAL",
    "DataKeys",
    "KeyProvider",
    "KeyUnusable",
    "KeysOutOfReach",
    "MasterKey",
    "NewKey",
    "OwnerKeys",
    "Ring",
    "SealBroken",
    "Seals",
    "WrappedKeys",
    "file_provider",
    "master_of",
    "open_provider",
]
