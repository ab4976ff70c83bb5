"""From the setting PAYMINT_KEY_PROVIDER to the provider that it names."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from adapters.keys.aws_kms import KmsKeys
from adapters.keys.file import FileKeys
from adapters.keys.pkcs11 import TokenKeys
from adapters.keys.provider import KeyHolder, KeyProvider, KeyUnusable

_KINDS: Final[dict[str, Callable[[str], KeyHolder]]] = {
    "file": lambda setting: FileKeys(Path(setting.removeprefix("file:"))),
    "pkcs11": TokenKeys,
    "aws-kms": KmsKeys,
}


def open_provider(setting: str) -> KeyProvider:
    """The provider of `file:DIRECTORY`, `pkcs11:…` or `aws-kms:…`.

    Several, with spaces between: the first wraps, the others only unwrap, as while one moves
    from files to a key service.  Raises KeyUnusable, in words that say what to do.
    """
    holders = []
    for each in setting.split():
        kind = each.partition(":")[0]
        if kind not in _KINDS:
            raise KeyUnusable("PAYMINT_KEY_PROVIDER begins with file:, pkcs11: or aws-kms:")
        holders.append(_KINDS[kind](each))
    if len({holder.kind for holder in holders}) < max(len(holders), 1):
        raise KeyUnusable("PAYMINT_KEY_PROVIDER names one or several kinds, each once")
    return KeyProvider(holders)


def file_provider(directory: Path) -> KeyProvider:
    """Master keys in files of this directory: where PAYMINT_KEY_PROVIDER is not set."""
    return KeyProvider([FileKeys(directory)])
