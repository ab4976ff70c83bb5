"""What a handler is given and what it gives back.

A handler turns one HTTP request into one flow and the flow's result into one answer.
It never sees headers, bytes or sockets: the pipeline in `gateway/` has dealt with them.
"""

from dataclasses import dataclass, field
from typing import Any

from domain.callers import Asking, Once
from domain.refusals import Refusal
from flows.house import House


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a body whose items are judged alone: what it asks for under its own key."""

    body: dict[str, Any]
    once: Once


@dataclass(frozen=True, slots=True)
class Request:
    """A request that passed authentication, scope, validation and the idempotency check.

    `path` holds the path parameters as sent, `query` the parsed query with its defaults,
    `body` the parsed JSON body or None.  `asking` is None on operations without a key,
    `items` is empty except where the items of a body are judged alone; a refusal stands in
    the place of one that is no request at all.
    """

    house: House
    request_id: str
    asking: Asking | None
    path: dict[str, str]
    query: dict[str, Any]
    body: Any
    items: tuple[Item | Refusal, ...] = ()

    @property
    def caller(self) -> Asking:
        """Who asks; only for operations that the document secures."""
        if self.asking is None:
            raise LookupError("this operation has no security in the document")
        return self.asking


@dataclass(frozen=True, slots=True)
class Answer:
    """A status that the document declares and the resource, in the present version.

    `body` is a JSON object, or a `contract.publishing.Published`.
    `replayed` marks the stored answer of an earlier request with the same key.
    `resource_id` is what the audit line names.
    """

    status: int
    body: Any
    replayed: bool = False
    resource_id: str | None = field(default=None)
