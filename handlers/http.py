"""What a handler is given and what it gives back.

A handler turns one HTTP request into one flow and the flow's result into one answer.
It never sees headers, bytes or sockets: the pipeline in `gateway/` has dealt with them.

What every request has made is a named tuple: a frozen dataclass takes twice as long.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from domain.callers import Asking, Once
from domain.refusals import Refusal
from flows.house import House


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a body whose items are judged alone: what it asks for under its own key."""

    body: dict[str, Any]
    once: Once


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks where no key is asked for: a browser, or a client of OAuth.

    The texts are as they were sent; `origin` and `authorization` are None when they were not.
    """

    address: str
    user_agent: str
    origin: str | None
    authorization: str | None
    cookie: str

    def cookie_named(self, name: str) -> str | None:
        """The value of one cookie, whatever else the browser keeps for this host.

        Pairs are told apart by semicolons alone (RFC 6265 section 5.4), so that nobody is
        signed out by a neighbour's cookie that is not what RFC 6265 section 4.1.1 asks for.
        """
        for pair in self.cookie.split(";"):
            found, _, value = pair.strip().partition("=")
            if found == name:
                return value
        return None


class Request(NamedTuple):
    """A request that passed authentication, scope, validation and the idempotency check.

    `path` holds the path parameters as sent, `query` the parsed query with its defaults,
    `body` the parsed body or None.  `asking` is None on operations without a key, and
    `visitor` on all others.  `items` is empty except where the items of a body are judged
    alone; a refusal stands in the place of one that is no request at all.
    """

    house: House
    request_id: str
    asking: Asking | None
    path: dict[str, str]
    query: dict[str, Any]
    body: Any
    items: tuple[Item | Refusal, ...] = ()
    visitor: Visitor | None = None

    @property
    def caller(self) -> Asking:
        """Who asks; only for operations that the document secures."""
        if self.asking is None:
            raise LookupError("this operation has no security in the document")
        return self.asking

    @property
    def guest(self) -> Visitor:
        """Who asks without a key; only for operations that the document does not secure."""
        if self.visitor is None:
            raise LookupError("this operation has security in the document")
        return self.visitor


class Answer(NamedTuple):
    """A status that the document declares and the resource, in the present version.

    `body` is a JSON object, a `contract.publishing.Published`, a `contract.sheets.Sheet`, the
    bytes of an HTML page, or None where the document declares no content.  `headers` come
    beside those of every answer; a Content-Security-Policy among them takes the place of the
    usual one.
    `replayed` marks the stored answer of an earlier request with the same key.
    `resource_id` is what the audit line names; `whose` the merchant and mode in whose log it
    stands, where no key said so: those of the person who was signed in.
    """

    status: int
    body: Any
    replayed: bool = False
    resource_id: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    whose: tuple[UUID, bool] | None = None
