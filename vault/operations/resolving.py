"""What became of an attempt: the answer that ends every doubt."""

from uuid import UUID

from contract import relay
from vault.networks.network import CardNetwork, NetworkSilent, NetworkUnreached
from vault.operations.charging import Charging
from vault.store.attempts import AUTHORISE, AttemptStore, Found, may_settle

_NEVER = relay.Resolution(state="never_begun")
_UNDECIDED = relay.Resolution(state="undecided")


class Resolving:
    """Fences what never began, asks the network about what began and did not end."""

    def __init__(self, attempts: AttemptStore, charging: Charging, network: CardNetwork) -> None:
        self._attempts = attempts
        self._charging = charging
        self._network = network

    async def resolve(self, request: relay.Resolve) -> relay.Resolution | relay.Rejected:
        """`never_begun` and a decision are final, except a `pending` decision, which settles.

        What is `undecided` is to be asked about again if it is an authorisation, and to be
        asked for again, under the same attempt, if it is anything else.  An authorisation
        that is given up stays undecided for as long as somebody may be at it.
        """
        attempt_id, merchant_id = request.attempt_id, request.merchant_id
        found = await self._attempts.fence(attempt_id, merchant_id, request.livemode)
        if found.livemode != request.livemode:
            return relay.Rejected(code="livemode_mismatch")
        if found.state == "fenced":
            return _NEVER
        decision = found.decision
        if decision is not None and decision.outcome != "pending":
            return relay.Resolution(state="decided", decision=decision)
        resolution = await self._inquire(attempt_id, merchant_id, found)
        if request.give_up and resolution == _UNDECIDED and found.operation == AUTHORISE:
            return await self._give_up(attempt_id, merchant_id)
        return resolution

    async def _inquire(self, attempt_id: UUID, merchant_id: UUID, found: Found) -> relay.Resolution:
        assert found.network is not None
        try:
            decision = await self._network.inquire(found.network, attempt_id)
        except (NetworkSilent, NetworkUnreached):
            # Nothing new was heard; what stands, a pending refund at most, stands.
            if found.decision is None:
                return _UNDECIDED
            decision = found.decision
        if decision is None:
            if found.operation != AUTHORISE:
                # Asked for again, it is put to the network again: no attempt takes its place.
                return _UNDECIDED
            return await self._give_up(attempt_id, merchant_id)
        if not may_settle(decision, found.operation):
            return _UNDECIDED
        if decision != found.decision:
            await self._attempts.decide(attempt_id, merchant_id, decision)
        return relay.Resolution(state="decided", decision=decision)

    async def _give_up(self, attempt_id: UUID, merchant_id: UUID) -> relay.Resolution:
        if self._charging.is_running(attempt_id, merchant_id):
            return _UNDECIDED
        fenced = await self._attempts.give_up(attempt_id, merchant_id)
        return _NEVER if fenced else _UNDECIDED
