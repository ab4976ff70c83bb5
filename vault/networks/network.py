"""What the vault asks of a card network, whichever one it is.

Orders carry our own references, and a network that is asked twice under one attempt
answers twice the same: so an answer that was lost can be asked for again.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from contract import relay
from runtime.masked import Masked
from vault.instruments import Secret


class NetworkSilent(Exception):
    """No answer, or none that can be believed: the network may or may not have decided."""


class NetworkFailed(NetworkSilent):
    """The network answered that it could not decide.

    It says that nothing was done; an inquiry proves it, so this is an unknown like any other.
    """


class NetworkUnreached(Exception):
    """Certain: the network was not asked, because nothing could be sent to it."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks what of which network.  `amount` is in minor units of `currency`.

    `repeated` was asked before and not answered, as far as is known.

    `hold_id`: an authorisation adds to that hold, a capture draws on it.
    """

    attempt_id: UUID
    merchant_id: UUID
    payment_id: UUID
    livemode: bool
    network: str
    amount: int
    currency: str
    repeated: bool = False
    hold_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What an authorisation carries besides its order; a sale takes the money at once."""

    secret: Secret
    cvc: Masked | None
    sale: bool


class ChargebackNetwork(Protocol):
    """The part of a network that speaks of chargebacks.

    What it tells, it tells until it was `heard`, so that nothing is lost between its books
    and the vault's.  What is asked of it raises NetworkUnreached and NetworkSilent, and may
    always be asked again.
    """

    def chargebacks(self) -> list[relay.Chargeback]:
        """What was opened or decided and was not heard yet."""
        ...

    def heard(self, chargebacks: list[relay.Chargeback]) -> None:
        """These are in the vault's own books now."""
        ...

    async def represent(
        self, network: str, chargeback: relay.Chargeback, evidence: relay.Represent
    ) -> None:
        """Hand evidence over; repeated, it changes nothing."""
        ...

    async def charge_back(
        self, network: str, asked: relay.OpenChargeback
    ) -> relay.Chargeback | None:
        """Sandbox: open a chargeback now; None when nothing is left to claim."""
        ...

    async def rule(self, network: str, chargeback: relay.Chargeback, won: bool) -> None:
        """Sandbox: decide a chargeback now; the first decision stands."""
        ...


class CardNetwork(Protocol):
    """One interface for the simulator and for a network spoken to in ISO 8583.

    Every method raises NetworkUnreached when it is certain that nothing was sent, and
    NetworkSilent (NetworkFailed among them) when the end is not known.
    """

    async def authorise(self, order: Order, charge: Charge) -> relay.Decision:
        """Ask for money."""
        ...

    async def capture(self, order: Order, approval: relay.Decision) -> relay.Decision:
        """Collect money of an approval, releasing the rest.

        Out of a hold it is collected in parts, each for a payment of its own, and the rest
        stands.
        """
        ...

    async def reverse(self, order: Order, approval: relay.Decision) -> relay.Decision:
        """Give back what an approval reserved."""
        ...

    async def refund(self, order: Order, approval: relay.Decision) -> relay.Decision:
        """Return money that was collected; `pending` while it settles."""
        ...

    async def inquire(self, network: str, attempt_id: UUID) -> relay.Decision | None:
        """What was decided about an attempt; None when the network knows no such attempt."""
        ...

    async def echo(self, network: str) -> None:
        """Ask for a sign of life; returns when the network gave one."""
        ...


class Network(CardNetwork, ChargebackNetwork, Protocol):
    """All that a network does."""
