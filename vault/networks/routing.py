"""Which way a network is reached: in messages where it has an address, in here otherwise."""

from collections.abc import Mapping
from uuid import UUID

from contract import relay
from vault.networks.network import Charge, Network, Order


class RoutedNetworks:
    """One interface over several: `ways` by the network's name, `other` for all the rest."""

    def __init__(self, ways: Mapping[str, Network], other: Network) -> None:
        self._ways = ways
        self._other = other
        self._all = [other, *{id(way): way for way in ways.values()}.values()]

    async def authorise(self, order: Order, charge: Charge) -> relay.Decision:
        return await self._way(order.network).authorise(order, charge)

    async def capture(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._way(order.network).capture(order, approval)

    async def reverse(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._way(order.network).reverse(order, approval)

    async def refund(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._way(order.network).refund(order, approval)

    async def inquire(self, network: str, attempt_id: UUID) -> relay.Decision | None:
        return await self._way(network).inquire(network, attempt_id)

    async def echo(self, network: str) -> None:
        await self._way(network).echo(network)

    def chargebacks(self) -> list[relay.Chargeback]:
        return [told for way in self._all for told in way.chargebacks()]

    def heard(self, chargebacks: list[relay.Chargeback]) -> None:
        for way in self._all:
            way.heard(chargebacks)

    async def represent(
        self, network: str, chargeback: relay.Chargeback, evidence: relay.Represent
    ) -> None:
        await self._way(network).represent(network, chargeback, evidence)

    async def charge_back(
        self, network: str, asked: relay.OpenChargeback
    ) -> relay.Chargeback | None:
        return await self._way(network).charge_back(network, asked)

    async def rule(self, network: str, chargeback: relay.Chargeback, won: bool) -> None:
        await self._way(network).rule(network, chargeback, won)

    def _way(self, network: str) -> Network:
        return self._ways.get(network, self._other)
