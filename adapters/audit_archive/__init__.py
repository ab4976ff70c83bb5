"""Where sealed segments of the audit trail are kept for years: a directory or a bucket."""

from pathlib import Path
from typing import Protocol

from adapters.audit_archive.directory import Directory

BUCKET_SCHEME = "s3://"


class Archive(Protocol):
    """A place that objects are put into once and never taken out of."""

    @property
    def name(self) -> str:
        """How it is called in the record of what was exported."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Keep an object; one that is there with the same content is left as it is.

        Raises FileExistsError when it is there with another.
        """
        ...

    def get(self, name: str) -> bytes | None:
        """An object, or None."""
        ...

    def names(self, prefix: str) -> list[str]:
        """The names of all objects with this beginning, in their order."""
        ...


def open_archive(place: str, state_directory: Path) -> Archive:
    """The archive at `s3://bucket/prefix`, or in a directory; by default in the state's own."""
    if place.startswith(BUCKET_SCHEME):
        # boto3 takes a second to import, and most installations have no bucket.
        from adapters.audit_archive.bucket import Bucket

        bucket, _, prefix = place.removeprefix(BUCKET_SCHEME).partition("/")
        return Bucket(bucket, prefix)
    return Directory(Path(place) if place else state_directory / "audit-archive")


__all__ = ["Archive", "Directory", "open_archive"]
