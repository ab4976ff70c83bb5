"""Delivering events: lease what is due, post it, record how that went.

A delivery may happen twice (a worker may be lost between the post and its record), and
receivers drop duplicates by `webhook-id`; it is never forgotten.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from adapters.merchant_http import MerchantHttp, Posted
from contract.answers import encode
from contract.document import load_document
from contract.versions.registry import delivered_in, event_renders
from domain import delivery_schedule, events, signatures
from domain.delivery_rooms import Endpoint
from domain.ids import to_text
from flows.house import House
from models.deliveries import EndedAttempt, record_attempts
from models.delivery_leases import Leased, Look, give_back_delivery, lease_deliveries
from models.sealed import WEBHOOK_SECRET
from runtime.coalescer import Coalescer, lanes
from runtime.database import DatabaseUnavailable, Row
from runtime.log import log
from runtime.masked import Masked

# Longer than an attempt (10 s) and its record, so that only a lost worker loses a lease.
LEASE: Final = timedelta(seconds=15)
RECORD_AGAIN_SECONDS: Final = 0.5
JSON: Final = "application/json"
USER_AGENT: Final = "Paymint-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One leased delivery.

    `url` is None when its endpoint takes nothing any more, `closed` says why.
    `business_now` is the merchant's own moment where a test clock holds it.
    """

    endpoint: Endpoint
    attempt: int
    lease: datetime
    url: str | None
    closed: str | None
    sealed_secrets: tuple[bytes, ...]
    business_now: datetime | None
    event: Row


class WebhookDelivery:
    """The work of a delivery worker; made inside its event loop."""

    def __init__(self, house: House, http: MerchantHttp | None = None) -> None:
        self._house = house
        self._http = http or MerchantHttp(
            house.clock, allow_loopback=house.settings.allow_loopback_webhooks
        )
        self._renders = event_renders(load_document())
        dsn = house.settings.database_url
        self._looks: Coalescer[Look, Leased] = Coalescer(
            lease_deliveries, lanes(dsn, 0), sort_key=_by_time
        )
        # Where the walk over endpoints goes on, when there is one.
        self._walked_to: tuple[UUID, UUID] | None = None
        self._records: Coalescer[EndedAttempt, bool] = Coalescer(
            record_attempts, lanes(dsn, 0), sort_key=_by_delivery
        )

    async def close(self) -> None:
        """Record what has ended, then let go of all connections."""
        await self._looks.close()
        await self._records.close()
        await self._http.close()

    async def lease(
        self, free: int, rooms: Mapping[Endpoint, int], full: Sequence[UUID]
    ) -> tuple[list[Delivery], bool]:
        """Up to `free` deliveries that are due now, for this worker to make.

        `rooms` says how many more attempts may begin at an endpoint, where that is not the
        usual number; merchants in `full` have enough under way.  True: look again at once,
        for some of what is due was not seen.
        """
        now = self._house.clock.now()
        until = now + LEASE
        look = Look(now, until, free, rooms, full, self._walked_to)
        leased = await self._looks.submit(look)
        self._walked_to = leased.after
        return [_delivery(row, now, until) for row in leased.rows], leased.unseen

    async def give_back(self, leased: Sequence[Delivery]) -> None:
        """Let other workers make at once what this one began and cannot end.

        The receiver may have it by then, and will have it again.
        """
        now = self._house.clock.now()
        async with self._house.database.transaction() as transaction:
            for one in leased:
                named = (one.event["id"], one.endpoint.id, one.endpoint.merchant_id)
                await give_back_delivery(transaction, named, one.lease, now)

    async def deliver(self, delivery: Delivery) -> None:
        """Make one attempt and record it, with the state that follows from it."""
        attempted_at = delivery.business_now or self._house.clock.now()
        posted = Posted(None, delivery.closed, 0)
        if delivery.url is not None:
            posted = await self._post(delivery, delivery.url)
        ended = _ended(self._house, delivery, attempted_at, posted)
        recorded = await self._record(ended)
        log("webhook_attempt", recorded=recorded, **_logged(delivery, ended))

    async def _post(self, delivery: Delivery, url: str) -> Posted:
        event_id = to_text("evt", delivery.event["id"])
        body = encode(self._rendered(delivery.event))
        seconds = self._house.clock.unix_ms() // 1000
        headers = {
            "Content-Type": JSON,
            "User-Agent": USER_AGENT,
            **signatures.headers(await self._secrets(delivery), event_id, seconds, body),
        }
        return await self._http.post(url, body, headers)

    async def _secrets(self, delivery: Delivery) -> list[Masked]:
        """Opened for each attempt: with the keys at hand that takes some microseconds."""
        owner, sealed = delivery.endpoint.merchant_id, delivery.sealed_secrets
        keys = await self._house.seals.knowing(owner, *sealed)
        return [Masked(keys.open(WEBHOOK_SECRET, each).decode()) for each in sealed]

    def _rendered(self, event: Row) -> dict[str, Any]:
        """The event in the version its endpoint takes, by the merchant's own clock."""
        moment = event["frozen_time"] or self._house.clock.now()
        render = self._renders.get(delivered_in(event["api_version"], moment))
        shown = events.resource(event)
        return shown if render is None else render(shown)

    async def _record(self, ended: EndedAttempt) -> bool:
        """False when it could not be recorded; then the attempt is made again later."""
        while self._house.clock.now() < ended.lease:
            try:
                return await self._records.submit(ended)
            except DatabaseUnavailable:
                await asyncio.sleep(RECORD_AGAIN_SECONDS)
        return False


def _delivery(row: Row, now: datetime, lease: datetime) -> Delivery:
    closed = row["closed"]
    return Delivery(
        endpoint=Endpoint(row["endpoint_id"], row["merchant_id"]),
        attempt=row["attempts"] + 1,
        lease=lease,
        url=row["url"] if closed is None else None,
        closed=closed,
        sealed_secrets=signatures.valid_secrets(
            row["secret_sealed"], row["previous_secret_sealed"], row["previous_secret_until"], now
        ),
        business_now=row["frozen_time"],
        event=row,
    )


def _ended(
    house: House, delivery: Delivery, attempted_at: datetime, posted: Posted
) -> EndedAttempt:
    succeeded = posted.error is None and delivery_schedule.is_success(posted.status_code)
    follows = delivery_schedule.after_attempt(
        delivery.attempt, succeeded=succeeded, attempted_at=attempted_at
    )
    gone = delivery.url is None
    return EndedAttempt(
        event_id=delivery.event["id"],
        endpoint_id=delivery.endpoint.id,
        merchant_id=delivery.endpoint.merchant_id,
        lease=delivery.lease,
        attempt=delivery.attempt,
        attempted_at=attempted_at,
        duration_ms=posted.duration_ms,
        status_code=posted.status_code,
        error=posted.error,
        state="failed" if gone else follows.state,
        next_attempt_at=attempted_at if gone else follows.attempt_at,
        ended_at=house.clock.now(),
        succeeded=None if gone else succeeded,
        alert_id=house.new_id(),
    )


def _logged(delivery: Delivery, ended: EndedAttempt) -> dict[str, Any]:
    return {
        "event_id": to_text("evt", ended.event_id),
        "event_type": delivery.event["type"],
        "request_id": delivery.event["request_id"],
        "endpoint_id": to_text("whe", ended.endpoint_id),
        "merchant_id": to_text("mch", ended.merchant_id),
        "attempt": ended.attempt,
        "status_code": ended.status_code,
        "error": ended.error,
        "duration_ms": ended.duration_ms,
        "state": ended.state,
    }


def _by_time(look: Look) -> datetime:
    return look.now


def _by_delivery(ended: EndedAttempt) -> tuple[UUID, UUID, UUID]:
    return ended.merchant_id, ended.endpoint_id, ended.event_id
