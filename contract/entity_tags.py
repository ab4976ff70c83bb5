"""Entity tags: made of a representation, read from `If-None-Match` and `If-Match`.

`"<hash>"`, or `"r<revision>-<hash>"` where the row counts its changes: SHA-256 over whose
it is, the version and the bytes before any coding.  The bytes carry every field, so a change
of the row changes the tag, `updated_at` or not (blueprint section 8).  Of a coded body the
tag ends in `-br` or `-gzip` (RFC 9110 section 8.8.3.3: another coding, another tag).
"""

import hashlib
import re
from typing import Final, NamedTuple

from domain.refusals import Malformed

# The same text stands in the document, as the schema EntityTags; a test compares them.  Each
# blank can be read in one way only: with two, a header of 100 bytes would take minutes.
_TAG: Final = r'(W/)?"[!#-~]*"'
PATTERN: Final = rf"^(\*|[ \t,]*({_TAG}([ \t]*,[ \t,]*|$))*)$"
HEADER_BYTES_MAX: Final = 1024
HASH_DIGITS: Final = 32
CODINGS: Final = ("br", "gzip")

_FORM = re.compile(PATTERN[1:-1].encode())
_OPAQUE = re.compile(rb'"([!#-~]*)"')
# A revision alone is enough for If-Match: a PATCH answers with it, and has no tag.
_REVISION = re.compile(rb"r([1-9][0-9]{0,9})(?:-.*)?")
_SUFFIX = re.compile(rb"-(?:" + "|".join(CODINGS).encode() + rb")$")


class Tags(NamedTuple):
    """The opaque parts of a header's tags; `anything` stands for `*`."""

    opaque: frozenset[bytes]
    anything: bool = False


def read_tags(text: bytes, header: str) -> Tags:
    """The tags of a header's value; raises 400 `header_invalid`.

    `W/` makes no difference: caches on the way weaken a tag when they code a body anew.
    """
    if len(text) > HEADER_BYTES_MAX or not _FORM.fullmatch(text):
        raise Malformed("header_invalid", header)
    return Tags(frozenset(_OPAQUE.findall(text)), anything=text == b"*")


def revisions(tags: Tags) -> frozenset[int] | None:
    """The revisions that `If-Match` names; None: any.  A tag without one matches nothing."""
    if tags.anything:
        return None
    found = (_REVISION.fullmatch(tag) for tag in tags.opaque)
    return frozenset(int(match[1]) for match in found if match is not None)


def tag_of(whose: bytes, body: bytes, revision: int | None) -> bytes:
    """The opaque part of a representation's tag, without quotes and coding.

    `whose` says for whom and in which version the bytes were made.
    """
    digest = hashlib.sha256(whose + body).hexdigest()[:HASH_DIGITS].encode()
    return digest if revision is None else b"r%d-%s" % (revision, digest)


def is_known(tag: bytes, tags: Tags) -> bool:
    """Whether the client has the representation of this tag, in any coding."""
    if tags.anything or tag in tags.opaque:
        return True
    return any(_SUFFIX.sub(b"", known) == tag for known in tags.opaque)
