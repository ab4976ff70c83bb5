"""Archives: what was put stays as it is, in a directory and in a bucket with a retention lock."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from adapters.audit_archive import Archive, Directory, open_archive

BUCKET = "audit"
SEVEN_YEARS = timedelta(days=7 * 365)
NAMES = ("2026-11/000000000001.json", "2026-11/000000000001.jsonl.gz")


@pytest.fixture(scope="module")
def object_store() -> Iterator[str]:
    """A server of the S3 protocol on loopback, with a bucket made with Object Lock."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "a-name",
        "AWS_SECRET_ACCESS_KEY": "a-word",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(
            Bucket=BUCKET,
            ObjectLockEnabledForBucket=True,
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        yield settings["AWS_ENDPOINT_URL_S3"]
    server.stop()


@pytest.fixture(params=["directory", "bucket"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    if request.param == "directory":
        return open_archive(str(tmp_path / "archive"), tmp_path)
    request.getfixturevalue("object_store")
    return open_archive(f"s3://{BUCKET}/{tmp_path.name}", tmp_path)


def test_what_was_put_is_there_once(archive: Archive) -> None:
    assert archive.get(NAMES[0]) is None and archive.names("") == []
    for name in NAMES:
        archive.put(name, name.encode())
    # Put again by an export that goes on after an interruption.
    archive.put(NAMES[0], NAMES[0].encode())
    assert archive.names("2026-11/") == sorted(NAMES)
    assert archive.names("2026-12/") == []
    assert [archive.get(name) for name in NAMES] == [name.encode() for name in NAMES]
    with pytest.raises(FileExistsError):
        archive.put(NAMES[0], b"another")
    assert archive.get(NAMES[0]) == NAMES[0].encode()


def test_a_directory_is_closed_and_its_files_cannot_be_written(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    archive = open_archive("", tmp_path)
    assert isinstance(archive, Directory) and archive.name == f"file:{tmp_path}/audit-archive"
    # What a killed process left of a file is made again.
    place = tmp_path / "audit-archive" / "2026-11"
    place.mkdir(mode=0o700, parents=True)
    (place / f".000000000001.json.{os.getpid()}").write_bytes(b"hal")
    archive.put(NAMES[0], b"whole")
    assert archive.names("") == [NAMES[0]]
    assert (tmp_path / "audit-archive" / NAMES[0]).stat().st_mode & 0o777 == 0o400
    assert len(list(place.iterdir())) == 1


def test_an_object_is_locked_for_seven_years(object_store: str, tmp_path: Path) -> None:
    archive = open_archive(f"s3://{BUCKET}/locked", tmp_path)
    archive.put(NAMES[1], b"entries")
    client = boto3.client("s3")
    head = client.head_object(Bucket=BUCKET, Key=f"locked/{NAMES[1]}")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] - datetime.now(UTC) > SEVEN_YEARS
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=BUCKET, Key=f"locked/{NAMES[1]}", VersionId=head["VersionId"])
