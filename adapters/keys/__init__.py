"""Who holds the master key: a file here, a key service or an HSM elsewhere."""

from adapters.keys.file import FileKeyProvider
from adapters.keys.provider import KeyProvider, KeyUnusable
from adapters.keys.seals import PLATFORM, SealBroken, Seals

__all__ = ["PLATFORM", "FileKeyProvider", "KeyProvider", "KeyUnusable", "SealBroken", "Seals"]
