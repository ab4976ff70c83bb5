"""Master keys in AWS KMS: data keys go there to be wrapped, master keys never come here."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs

from adapters.keys.provider import KeyUnusable

CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 3
ATTEMPTS: Final = 2
# Bound into every wrapped key; AWS writes it into its own audit log beside the caller.
CONTEXT: Final = {"paymint": "data key v1"}
_UNUSABLE: Final = frozenset(
    {
        "AccessDeniedException",
        "DisabledException",
        "IncorrectKeyException",
        "InvalidCiphertextException",
        "InvalidKeyUsageException",
        "KMSInvalidStateException",
        "NotFoundException",
    }
)


class KmsKeys:
    """Encrypt and Decrypt of a key service, by `aws-kms:ALIAS?region=…&endpoint-url=…`.

    The current key is the one that the alias names; a wrapped key names its key itself, by
    ARN.  `make` needs an alias: it makes a key and moves the alias on.  `retire` disables the
    old key, which its owner may enable again for an old backup, or schedule for deletion.
    """

    kind = "aws-kms"

    def __init__(self, uri: str) -> None:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import ClientError
        except ImportError:
            raise KeyUnusable("boto3 is missing: install requirements/cloud.txt") from None
        self._refused = ClientError
        self._alias, _, query = uri.removeprefix("aws-kms:").partition("?")
        said = {name: values[-1] for name, values in parse_qs(query).items()}
        if not self._alias:
            raise KeyUnusable("PAYMINT_KEY_PROVIDER: aws-kms: names an alias or a key")
        self._client: Any = boto3.client(
            "kms",
            region_name=said.get("region"),
            endpoint_url=said.get("endpoint-url"),
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            ),
        )

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        # The name comes first: ciphertexts of this service do not say to us whose they are.
        master, _ = self.current()
        said = self._ask("encrypt", KeyId=master, Plaintext=key, EncryptionContext=CONTEXT)
        return master, bytes(said["CiphertextBlob"])

    def unwrap(self, master: str, body: bytes) -> bytes:
        said = self._ask("decrypt", KeyId=master, CiphertextBlob=body, EncryptionContext=CONTEXT)
        return bytes(said["Plaintext"])

    def current(self) -> tuple[str, datetime]:
        return _named(self._ask("describe_key", KeyId=self._alias))

    def make(self) -> tuple[str, datetime]:
        if not self._alias.startswith("alias/"):
            raise KeyUnusable("PAYMINT_KEY_PROVIDER names a key: only an alias can be moved on")
        made = self._ask("create_key", Description=f"Paymint master key of {self._alias}")
        known = {each["AliasName"] for each in self._aliases()}
        move = "update_alias" if self._alias in known else "create_alias"
        self._ask(move, AliasName=self._alias, TargetKeyId=made["KeyMetadata"]["KeyId"])
        return _named(made)

    def retire(self, master: str) -> None:
        self._ask("disable_key", KeyId=master.rpartition("/")[2])

    def _aliases(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_aliases").paginate()
        return [each for page in pages for each in page["Aliases"]]

    def _ask(self, operation: str, **asked: Any) -> dict[str, Any]:
        try:
            said: dict[str, Any] = getattr(self._client, operation)(**asked)
        except self._refused as refusal:
            code = refusal.response["Error"]["Code"]
            if code in _UNUSABLE:
                raise KeyUnusable(f"the key service refused: {code}") from None
            raise
        return said


def _named(said: dict[str, Any]) -> tuple[str, datetime]:
    about = said["KeyMetadata"]
    return about["Arn"], about["CreationDate"]
