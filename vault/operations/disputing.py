"""Chargebacks on their way between the networks and the main house, both ways.

A chargeback is in the vault's books before the network is told that it was heard, and the
main house acknowledges what it has recorded: whoever dies in between, it is told again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from contract import relay
from runtime.database import DatabaseUnavailable
from runtime.log import log, log_exception
from vault.networks.network import ChargebackNetwork, NetworkSilent, NetworkUnreached
from vault.outcomes import CallRefused, CallUndecided
from vault.store.chargebacks import ChargebackStore

_UNKNOWN = relay.Rejected(code="chargeback_unknown")
_NOTHING_LEFT = relay.Rejected(code="nothing_to_charge_back")


class Disputing:
    """Collects what the networks tell, tells it on, and hands evidence over."""

    def __init__(self, chargebacks: ChargebackStore, network: ChargebackNetwork) -> None:
        self._chargebacks = chargebacks
        self._network = network

    async def collect(self) -> None:
        """Write down what the networks have told since the last time."""
        told = self._network.chargebacks()
        kept = await self._kept(told) if told else []
        if kept:
            self._network.heard(kept)
            log("chargebacks_told", count=len(kept))

    async def _kept(self, told: list[relay.Chargeback]) -> list[relay.Chargeback]:
        """Those that are in the books now: what cannot be written keeps no other from being so."""
        try:
            await self._chargebacks.keep(told)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if len(told) == 1:
                log_exception("chargeback_not_kept", error, chargeback=told[0].id)
                return []
            return [kept for each in told for kept in await self._kept([each])]
        return told

    async def news(self, request: relay.ListChargebacks) -> relay.ChargebackNews:
        """What the main house has not acknowledged yet."""
        return relay.ChargebackNews(chargebacks=await self._chargebacks.untold(request))

    async def acknowledge(self, request: relay.AcknowledgeChargeback) -> relay.Done:
        """The main house has recorded a state of a chargeback."""
        await self._chargebacks.acknowledge(request)
        return relay.Done()

    async def represent(self, request: relay.Represent) -> relay.Done | relay.Rejected:
        """Hand evidence to the network; handed over again, it changes nothing."""
        chargeback = await self._known(request)
        if chargeback is None:
            return _UNKNOWN
        network = await self._chargebacks.network_of(chargeback.merchant_id, chargeback.payment_id)
        if network is None:
            return _UNKNOWN
        with _asked():
            await self._network.represent(network, chargeback, request)
        return relay.Done()

    async def open(self, request: relay.OpenChargeback) -> relay.Chargeback | relay.Rejected:
        """Sandbox: have the network charge a payment back; `collect` writes it down."""
        if request.livemode:
            return relay.Rejected(code="livemode_mismatch")
        network = await self._chargebacks.network_of(request.merchant_id, request.payment_id)
        if network is None:
            return _NOTHING_LEFT
        with _asked():
            chargeback = await self._network.charge_back(network, request)
        return chargeback or _NOTHING_LEFT

    async def rule(self, request: relay.RuleOnChargeback) -> relay.Chargeback | relay.Rejected:
        """Sandbox: have the network decide a chargeback; the first decision stands."""
        if request.livemode:
            return relay.Rejected(code="livemode_mismatch")
        chargeback = await self._known(request)
        if chargeback is None:
            return _UNKNOWN
        network = await self._chargebacks.network_of(chargeback.merchant_id, chargeback.payment_id)
        if network is None:
            return _UNKNOWN
        with _asked():
            await self._network.rule(network, chargeback, request.won)
        await self.collect()
        return await self._chargebacks.look(request) or _UNKNOWN

    async def _known(
        self, request: relay.Represent | relay.RuleOnChargeback
    ) -> relay.Chargeback | None:
        """The chargeback spoken of, even if it was opened a moment ago."""
        chargeback = await self._chargebacks.look(request)
        if chargeback is None:
            await self.collect()
            chargeback = await self._chargebacks.look(request)
        return chargeback


@contextmanager
def _asked() -> Iterator[None]:
    """What a call to a network ends with; all that is asked here may be asked again."""
    try:
        yield
    except NetworkUnreached:
        raise CallRefused("network_unreached") from None
    except NetworkSilent:
        raise CallUndecided from None
