"""The networks of one vault process: those with an address in messages, the rest in here."""

from pathlib import Path

from runtime.clock import Clock
from vault.networks.behaviours import ALL_NETWORKS
from vault.networks.iso8583.client import Iso8583Networks, client_tls
from vault.networks.issuers import Issuers
from vault.networks.journal import Journal
from vault.networks.network import Network
from vault.networks.outages import Outages
from vault.networks.routing import RoutedNetworks
from vault.networks.simulator import SimulatedNetworks
from vault.settings import Settings

DIRECTORY = "simulator"
JOURNAL = "journal.jsonl"


class ReachedNetworks:
    """Opens and closes what the vault's `network` is made of."""

    network: Network

    def __init__(self, settings: Settings, clock: Clock) -> None:
        addresses = settings.network_addresses
        elsewhere = {address.network for address in addresses}
        directory = settings.state_directory / DIRECTORY
        self._journal = Journal(directory / JOURNAL)
        issuers = Issuers(self._journal, ALL_NETWORKS - elsewhere, clock)
        self.network = SimulatedNetworks(issuers, settings.network_latency, Outages(directory))
        self._spoken_to: Iso8583Networks | None = None
        if addresses:
            tls = client_tls(settings.state_directory / "tls")
            self._spoken_to = Iso8583Networks(addresses, tls, clock)
            ways = dict.fromkeys(elsewhere, self._spoken_to)
            self.network = RoutedNetworks(ways, self.network)

    async def start(self) -> None:
        """Connect to the networks with an address, as far as they are there by now."""
        if self._spoken_to is not None:
            await self._spoken_to.start()

    def renew(self, directory: Path) -> None:
        """Take the certificates of `directory` for connections to come."""
        if self._spoken_to is not None:
            self._spoken_to.renew(client_tls(directory))

    async def close(self) -> None:
        """Leave the networks in good order."""
        if self._spoken_to is not None:
            await self._spoken_to.close()
        self._journal.close()
