"""Who holds the master key: a file here, a key service or an HSM elsewhere."""

from adapters.keys.file import FileKeyProvider
from adapters.keys.provider import KeyProvider, KeyUnusable

__all__ = ["FileKeyProvider", "KeyProvider", "KeyUnusable"]
