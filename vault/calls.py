"""Every message of the private door, and who answers it."""

from functools import cache
from typing import NamedTuple

from prometheus_client import Counter

from adapters.keys import KeysOutOfReach
from contract import relay
from runtime.clock import Clock
from runtime.database import DatabaseUnavailable
from runtime.log import log
from vault.networks.waiting import network_milliseconds
from vault.operations.announcing import Announcing
from vault.operations.charging import Charging
from vault.operations.disputing import Disputing
from vault.operations.keeping import Keeping
from vault.operations.resolving import Resolving
from vault.operations.witnessing import Witnessing
from vault.outcomes import CallRefused, CallUndecided

DisputeCall = (
    relay.ListChargebacks
    | relay.AcknowledgeChargeback
    | relay.Represent
    | relay.OpenChargeback
    | relay.RuleOnChargeback
)

NO_NEWS = "no_news"

_CALLS = Counter("paymint_relay_calls", "Calls of the private door", ["call", "outcome"])
# A look-up by labels costs more than counting: both are few, and found once.
_calls_of = cache(_CALLS.labels)


class Operations(NamedTuple):
    """What the vault does when it is asked."""

    charging: Charging
    resolving: Resolving
    keeping: Keeping
    disputing: Disputing
    announcing: Announcing
    witnessing: Witnessing


class Calls:
    """Answers the relay door's calls and writes one line for each."""

    def __init__(self, operations: Operations, clock: Clock) -> None:
        self._operations = operations
        self._clock = clock

    async def answer(self, request: relay.Request, deadline_ms: int) -> relay.Answer:
        """Answer one call; raises CallRefused or CallUndecided."""
        began = self._clock.monotonic()
        outcome = "failed"
        try:
            answer = await self._dispatch(request, deadline_ms)
            outcome = _outcome(answer)
            return answer
        except CallRefused as refusal:
            outcome = refusal.reason
            raise
        except CallUndecided:
            outcome = "undecided"
            raise
        except (DatabaseUnavailable, KeysOutOfReach):
            # None of the calls that come here has asked a network.
            outcome = "unavailable"
            raise CallRefused("unavailable") from None
        finally:
            call = str(type(request).__struct_config__.tag)
            _calls_of(call, outcome).inc()
            # A worker asks for news every second; most of the time there is none.
            if outcome != NO_NEWS:
                log(
                    "relay_call",
                    request_id=request.request_id,
                    call=call,
                    outcome=outcome,
                    duration_ms=round((self._clock.monotonic() - began) * 1000, 1),
                    network_ms=network_milliseconds(),
                )

    async def _dispatch(self, request: relay.Request, deadline_ms: int) -> relay.Answer:
        match request:
            case relay.Authorise() | relay.Capture() | relay.Reverse() | relay.Refund():
                return await self._operations.charging.charge(request, deadline_ms)
            case relay.Resolve():
                return await self._operations.resolving.resolve(request)
            case relay.Describe():
                return await self._operations.keeping.describe(request)
            case relay.Attach():
                return await self._operations.keeping.attach(request)
            case relay.Erase():
                return await self._operations.keeping.erase(request)
            case relay.Confirm():
                return await self._operations.keeping.confirm(request)
            case relay.ListUnconfirmed():
                return await self._operations.keeping.unconfirmed(request)
            case relay.PublishKey():
                return await self._operations.announcing.announce(request)
            case relay.NegotiateLimit():
                return await self._operations.announcing.negotiate(request)
            case relay.ListAuditHeads():
                return await self._operations.witnessing.heads(request)
            case relay.ReadAuditSegment():
                return await self._operations.witnessing.segment(request)
            case relay.Echo():
                return await self._operations.announcing.echo()
            case relay.CountOldKeys():
                return await self._operations.announcing.count_old_keys(request)
            case _:
                return await self._dispute(request)

    async def _dispute(self, request: DisputeCall) -> relay.Answer:
        match request:
            case relay.ListChargebacks():
                return await self._operations.disputing.news(request)
            case relay.AcknowledgeChargeback():
                return await self._operations.disputing.acknowledge(request)
            case relay.Represent():
                return await self._operations.disputing.represent(request)
            case relay.OpenChargeback():
                return await self._operations.disputing.open(request)
            case relay.RuleOnChargeback():
                return await self._operations.disputing.rule(request)


def _outcome(answer: relay.Answer) -> str:
    match answer:
        case relay.Decision():
            return answer.outcome
        case relay.Rejected():
            return answer.code
        case relay.Resolution():
            return answer.state
        case relay.AuditHeads() | relay.AuditSegment():
            return NO_NEWS
        case relay.ChargebackNews():
            return "news" if answer.chargebacks else NO_NEWS
        case relay.Unconfirmed():
            return "news" if answer.instruments else NO_NEWS
        case _:
            return "done"
