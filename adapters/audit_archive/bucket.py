"""An archive in a bucket that speaks S3, under a retention lock nobody can shorten.

Each object is put with Object Lock in COMPLIANCE mode until seven years from now (blueprint
section 9; PCI DSS 4.0.1 req. 10.5.1 asks for one).  The bucket must have been made with
Object Lock.  Credentials, region and endpoint are boto3's own settings.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

RETENTION = timedelta(days=7 * 366)
CONNECT_SECONDS = 5
READ_SECONDS = 30
_ATTEMPTS = 3


class Bucket:
    """Objects under a prefix of one bucket."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.name = f"s3://{bucket}/{self._prefix}"
        self._client: Any = boto3.client(
            "s3",
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"max_attempts": _ATTEMPTS, "mode": "standard"},
            ),
        )

    def put(self, name: str, content: bytes) -> None:
        """Put an object under its lock; see `Archive.put`."""
        known = self.get(name)
        if known is not None:
            if known != content:
                raise FileExistsError(f"{name} is in the archive with another content")
            return
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._prefix + name,
            Body=content,
            ChecksumAlgorithm="SHA256",
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=datetime.now(UTC) + RETENTION,
        )

    def get(self, name: str) -> bytes | None:
        """An object, or None."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        content: bytes = answer["Body"].read()
        return content

    def names(self, prefix: str) -> list[str]:
        """The names of the objects with this beginning, in their order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
        return sorted(key.removeprefix(self._prefix) for key in keys)
