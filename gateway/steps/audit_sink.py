"""503 while audit entries cannot be stored, before anything is done.

What uses a card is not done unseen (contract-decisions, "Refusals, in order"; PCI DSS 4.0.1
req. 10.2.1, 10.7.2); everything else goes on, its entries kept, until no more can be kept.
What is published to everybody alike goes on even then: nothing is done or told of anyone.
"""

from collections.abc import Awaitable

from contract.operations import Operation
from contract.publishing import CACHE
from domain.refusals import Unavailable
from gateway.exchange import Exchange, Proceed

UNAVAILABLE = "service_unavailable"


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    if UNAVAILABLE not in operation.errors or operation.cache == CACHE:
        return proceed
    uses_a_card = operation.card_data

    def seen(exchange: Exchange) -> Awaitable[None]:
        if exchange.house.audit.refuses(uses_a_card=uses_a_card):
            raise Unavailable
        return proceed(exchange)

    return seen
