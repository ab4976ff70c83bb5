"""Authorise, capture, reverse, refund: begin, ask the network, record, answer.

The attempt is committed as begun before the network is asked, and its decision before the
caller is answered.  So whatever dies on the way, what may have happened is on record, and
an attempt that is not on record has certainly not happened.

An authorisation is put to the network once.  Captures, reversals and refunds are put to it
again, under the same attempt, as often as they are asked for until they are decided: an
answer may be lost, and a network does the same thing once.
"""

import asyncio
from uuid import UUID

import msgspec

from adapters.keys import KeysOutOfReach
from contract import relay
from runtime.clock import Clock
from runtime.database import DatabaseUnavailable, Row
from runtime.log import log
from vault.instruments import from_plaintext
from vault.keyring import Keyring
from vault.networks.network import CardNetwork, Charge, NetworkSilent, NetworkUnreached, Order
from vault.networks.waiting import NetworkTime
from vault.operations.security_codes import SecurityCodes
from vault.operations.velocity import Velocity
from vault.outcomes import CallRefused, CallUndecided
from vault.store.attempts import (
    AttemptStore,
    Chargeable,
    beginning_of,
    decode_decision,
    hold_of,
    may_settle,
    refusal_of,
)

# Longer than any caller waits: a late answer is recorded rather than asked for again.
NETWORK_PATIENCE_SECONDS = 4.0

Verdict = relay.Decision | relay.Rejected
_Key = tuple[UUID, UUID]


class Charging:
    """Every attempt at money."""

    def __init__(
        self,
        attempts: AttemptStore,
        keyring: Keyring,
        codes: SecurityCodes,
        network: CardNetwork,
        velocity: Velocity,
        clock: Clock,
    ) -> None:
        self._attempts = attempts
        self._keyring = keyring
        self._codes = codes
        self._network = network
        self._velocity = velocity
        self._clock = clock
        self._running: dict[_Key, asyncio.Future[Verdict]] = {}

    def is_running(self, attempt_id: UUID, merchant_id: UUID) -> bool:
        """True while this process is at work on the attempt."""
        return (attempt_id, merchant_id) in self._running

    async def charge(self, request: Chargeable, deadline_ms: int) -> Verdict:
        """The decision; the stored one when the attempt was decided before.

        Raises CallRefused when nothing was begun, CallUndecided when the end is not known.
        """
        key = (request.attempt_id, request.merchant_id)
        running = self._running.get(key)
        if running is not None:
            return await asyncio.shield(running)
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._running[key] = verdict
        try:
            answer = await self._charge(request, deadline_ms)
        except BaseException as error:
            verdict.set_exception(error)
            # Nobody else may be waiting for it; it was looked at.
            verdict.exception()
            raise
        else:
            verdict.set_result(answer)
            return answer
        finally:
            del self._running[key]

    async def _charge(self, request: Chargeable, deadline_ms: int) -> Verdict:
        row = beginning_of(request)
        try:
            # At hand before anything is begun, so that afterwards little can go wrong.
            await self._keyring.of(request.merchant_id)
            found = await self._attempts.begin(row)
        except (DatabaseUnavailable, KeysOutOfReach):
            raise CallRefused("unavailable") from None
        if not found["begun_now"]:
            if found["attempt_state"] is None:
                refusal = refusal_of(row, found)
                if refusal is None:
                    raise CallRefused("busy")
                return refusal
            before = _before(request, found)
            if before is not None:
                return before
        if self._clock.unix_ms() >= deadline_ms:
            await self._withdraw(request)
            raise CallRefused("expired")
        try:
            decision = await self._ask(request, found)
        except NetworkUnreached:
            await self._withdraw(request)
            return relay.Rejected(code="network_unavailable")
        if not may_settle(decision, str(type(request).__struct_config__.tag)):
            raise CallUndecided
        return await self._decided(request, decision)

    async def _withdraw(self, request: Chargeable) -> None:
        """The network was not asked by this call, and an authorisation is asked for by one
        call only; anything else may be with the network by another, and stays begun."""
        if isinstance(request, relay.Authorise):
            await self._attempts.withdraw(request.attempt_id, request.merchant_id)

    async def _decided(self, request: Chargeable, decision: relay.Decision) -> relay.Decision:
        try:
            recorded = await self._attempts.decide(
                request.attempt_id, request.merchant_id, decision
            )
            if not recorded:
                log(
                    "decision_after_fence",
                    request_id=request.request_id,
                    attempt=request.attempt_id,
                    outcome=decision.outcome,
                )
                # An approval is given back: another attempt may have taken its place.
                await self._attempts.late.look_now(request.attempt_id, request.merchant_id)
        except DatabaseUnavailable:
            # The network has decided and keeps it on its books: `resolve` will find it there.
            raise CallUndecided from None
        if not recorded:
            raise CallUndecided
        return decision

    async def _ask(self, request: Chargeable, found: Row) -> relay.Decision:
        order = _order(request, found)
        try:
            async with asyncio.timeout(NETWORK_PATIENCE_SECONDS):
                if isinstance(request, relay.Authorise):
                    return await self._authorise(request, order, found)
                return await self._follow_up(request, order, found)
        except (NetworkSilent, TimeoutError, KeysOutOfReach):
            raise CallUndecided from None

    async def _authorise(
        self, request: relay.Authorise, order: Order, found: Row
    ) -> relay.Decision:
        charge = await self._charge_of(request, found)
        attempt = self._velocity.tried(request.merchant_id, request.livemode, charge.secret)
        try:
            with NetworkTime("authorise", self._clock):
                decision = await self._network.authorise(order, charge)
        except NetworkUnreached:
            self._velocity.not_asked(attempt)
            raise
        except BaseException:
            self._codes.drop(request.instrument_id)
            raise
        # PCI DSS 4.0.1 req. 3.3.1: the code is gone once an authorisation was made with it.
        self._codes.drop(request.instrument_id)
        if self._velocity.answered(attempt, decision.outcome == "declined"):
            return msgspec.structs.replace(decision, velocity_flag=True)
        return decision

    async def _follow_up(
        self, request: relay.Capture | relay.Reverse | relay.Refund, order: Order, found: Row
    ) -> relay.Decision:
        approval = decode_decision(found["approval"])
        with NetworkTime(str(type(request).__struct_config__.tag), self._clock):
            if isinstance(request, relay.Capture):
                return await self._network.capture(order, approval)
            if isinstance(request, relay.Reverse):
                return await self._network.reverse(order, approval)
            return await self._network.refund(order, approval)

    async def _charge_of(self, request: relay.Authorise, found: Row) -> Charge:
        version = found["key_version"]
        keys = await self._keyring.keys_with(request.merchant_id, version)
        sealed = bytes(found["ciphertext"])
        secret = from_plaintext(keys.open(request.instrument_id, version, sealed))
        return Charge(secret, self._codes.show(request.instrument_id), request.capture)


def _before(request: Chargeable, found: Row) -> Verdict | None:
    """What an attempt that is on record is answered; None where it is to be made again."""
    if found["attempt_state"] == "fenced":
        return relay.Rejected(code="attempt_fenced")
    if found["attempt_state"] == "decided":
        return decode_decision(found["result"])
    if isinstance(request, relay.Authorise):
        # Another vault process is at it, or one died on the way: `resolve` finds out.
        raise CallUndecided
    return None


def _order(request: Chargeable, found: Row) -> Order:
    # A reversal gives back all there is, so it names no amount.
    return Order(
        attempt_id=request.attempt_id,
        merchant_id=request.merchant_id,
        payment_id=request.payment_id,
        livemode=request.livemode,
        network=found["network"],
        amount=0 if isinstance(request, relay.Reverse) else request.amount,
        currency="" if isinstance(request, relay.Reverse) else request.currency,
        repeated=not found["begun_now"],
        hold_id=hold_of(request),
    )
