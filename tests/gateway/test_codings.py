"""Accept-Encoding: whose weights count, and what the bytes become."""

import asyncio
import gzip

import brotli  # type: ignore[import-untyped]
import pytest

from gateway.codings import THREAD_BODY_BYTES, coded, negotiated


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("br", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, br;q=1.0", "br"),
        ("gzip;q=0.8, br;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.000, gzip;q=0.001", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("*;q=0", None),
        ("gzip, *;q=0", "gzip"),
        ("identity", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=1, gzip;q=0.5", None),
        ("identity;q=0, br;q=0", None),
        ("br ; q=0.5 , gzip;q=0.5", "br"),
        ("deflate, zstd", None),
        ("", None),
        ("br;q=2", None),
        ("br;q=x, gzip", "gzip"),
        ("br;level=3", None),
        ("\xff, gzip", "gzip"),
        ("gzip" + ", x" * 100, None),
    ],
)
def test_negotiation(header: str, coding: str | None) -> None:
    assert negotiated(header.encode("latin-1")) == coding


@pytest.mark.parametrize("size", [2048, THREAD_BODY_BYTES + 1])
def test_what_is_coded_is_read_back(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    assert brotli.decompress(asyncio.run(coded("br", body))) == body
    assert gzip.decompress(asyncio.run(coded("gzip", body))) == body
