"""Entity tags: how they are made, read and compared."""

import contextlib
import time

import pytest

from contract.entity_tags import PATTERN, Tags, is_known, read_tags, revisions, tag_of
from domain.refusals import Malformed
from tests.document import DOCUMENT

WHOSE = b"2026-04-01 somebody"
BODY = b'{"object":"merchant"}'


def read(text: str) -> Tags:
    return read_tags(text.encode(), "If-None-Match")


def test_the_document_has_the_same_pattern() -> None:
    schema = DOCUMENT["components"]["schemas"]["EntityTags"]
    assert schema["pattern"] == PATTERN


def test_a_tag_is_for_one_body_one_reader_and_one_version() -> None:
    tags = {
        tag_of(WHOSE, BODY, None),
        tag_of(WHOSE, BODY + b" ", None),
        tag_of(b"2026-04-01 another", BODY, None),
        tag_of(b"2025-09-15 somebody", BODY, None),
    }
    assert len(tags) == 4
    assert tag_of(WHOSE, BODY, None) in tags


def test_the_revision_stands_in_front() -> None:
    assert tag_of(WHOSE, BODY, 12) == b"r12-" + tag_of(WHOSE, BODY, None)


@pytest.mark.parametrize(
    ("text", "opaque"),
    [
        ('"a"', {b"a"}),
        ('W/"a"', {b"a"}),
        ('"a", "b"', {b"a", b"b"}),
        ('"a","b",W/"c"', {b"a", b"b", b"c"}),
        ('"a,b" ,\t"c"', {b"a,b", b"c"}),
        ('"a", ,"b",', {b"a", b"b"}),
        ('""', {b""}),
        ("", set()),
    ],
)
def test_a_list_of_tags(text: str, opaque: set[bytes]) -> None:
    assert read(text) == Tags(frozenset(opaque))


@pytest.mark.parametrize(
    "text",
    ["a", '"a', 'a"', '"a" "b"', 'w/"a"', 'W/ "a"', "*,*", '*, "a"', '"a b"', '"' + "a" * 1023],
)
def test_what_is_no_list_of_tags_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(text)
    assert (refused.value.code, refused.value.param) == ("header_invalid", "If-None-Match")


@pytest.mark.parametrize(
    "text",
    [
        "," * 1023 + "x",
        "\t" * 1024,
        "," + " ," * 511 + "x",
        "," + "   ," * 255 + "x",
        '"a" , ,' * 140 + "x",
        '"a"' + " " * 1020 + "x",
        '"a",' * 255 + "x",
        '"' * 1023,
        'W/"' * 341,
    ],
)
def test_reading_takes_no_longer_the_worse_it_is_written(text: str) -> None:
    started = time.process_time()
    with contextlib.suppress(Malformed):
        read(text)
    assert time.process_time() - started < 0.05


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('"r3-abc"', {3}),
        ('"r3-abc-br", W/"r4-abc-gzip"', {3, 4}),
        ('"r7"', {7}),
        ('"abc"', set()),
        ('"r-abc", "rx-abc", "r3x", "r03-abc", "r0-abc"', set()),
        ('"abc", "r2-d"', {2}),
        ("", set()),
    ],
)
def test_the_revisions_of_if_match(text: str, named: set[int]) -> None:
    assert revisions(read(text)) == frozenset(named)


def test_a_star_is_no_condition() -> None:
    assert revisions(read("*")) is None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("*", True),
        ('"x", "abc"', True),
        ('W/"abc"', True),
        ('"abc-br"', True),
        ('"abc-gzip"', True),
        ('"abc-zstd"', False),
        ('"abd"', False),
        ("", False),
    ],
)
def test_a_representation_is_known_in_any_coding(text: str, known: bool) -> None:
    assert is_known(b"abc", read(text)) is known
