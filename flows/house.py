"""The house: everything a flow may ask for, opened once per process.

Flows are functions; what they stand on (clock, database, vault, keys) is handed to them
in one value instead of being found through imports or globals.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from adapters.countries import Countries
from adapters.duplicates import Duplicates
from adapters.keys import FileKeyProvider, Seals
from adapters.remembered_rows import RememberedRows
from adapters.settings import Settings
from adapters.vault_door import VaultDoor
from flows.authentication import KeyRing
from flows.deprecated_use import DeprecatedUse
from models.announcing import CHANNEL
from models.audit import AuditTrail
from models.customer_reads import CustomerKey, read_customers
from models.data_keys import DataKeyStore
from models.payment_decide import DecidedPayment, decide_payments
from models.payment_reads import PaymentKey, read_payments
from models.payment_record import NewPayment, Recorded, record_payments
from runtime.clock import Clock, SystemClock
from runtime.coalescer import Coalescer, lanes
from runtime.database import Database, Row
from runtime.ids import uuid7
from runtime.listening import Listener

# Counter slots of one process: its lanes and the connections of its pool, each its own.
SLOTS_PER_PROCESS = 16
MAX_PROCESSES = 64
BATCH_ITEMS_PER_PROCESS = 400
_POOL_SLOT = 6
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class House:
    """The opened parts of one process."""

    settings: Settings
    clock: Clock
    database: Database
    record: Coalescer[NewPayment, Recorded]
    decide: Coalescer[DecidedPayment, bool]
    payment: Coalescer[PaymentKey, Row | None]
    customer: Coalescer[CustomerKey, Row | None]
    audit: AuditTrail
    keys: KeyRing
    seals: Seals
    announcements: Listener
    duplicates: Duplicates
    vault: VaultDoor
    remembered: RememberedRows
    deprecated_use: DeprecatedUse
    # Loaded by the process that answers clients.
    countries: Countries = field(default_factory=Countries)
    # Items of batches that may be under way at once, so that the vault's line has room for
    # single payments too.
    batch_room: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(BATCH_ITEMS_PER_PROCESS)
    )

    def new_id(self) -> UUID:
        """A new UUIDv7 of this moment."""
        return uuid7(self.clock.unix_ms())

    async def close(self) -> None:
        """Finish what is queued, then close every connection."""
        await self.record.close()
        await self.decide.close()
        await self.payment.close()
        await self.customer.close()
        await self.audit.close()
        await self.announcements.close()
        await self.deprecated_use.close()
        self.keys.close()
        await self.vault.close()
        await self.duplicates.close()
        await self.remembered.close()
        await self.database.close()


async def open_house(settings: Settings, clock: Clock | None = None) -> House:
    """Open every part; servers that are not there yet are tried again when asked."""
    clock = clock or SystemClock()
    dsn = settings.database_url
    slot = settings.process_number % MAX_PROCESSES * SLOTS_PER_PROCESS
    database = Database(dsn, slot + _POOL_SLOT)
    keys = KeyRing(database, clock)
    master = FileKeyProvider(settings.state_directory / "keys" / "house")
    # Its deadlines are compared by another process: they are the machine's time, always.
    vault = VaultDoor(_LOOPBACK, settings.relay_port, settings.state_directory / "tls")
    remembered = RememberedRows(settings.redis_url if settings.read_cache else None)
    if remembered.on:
        database.on_commit = remembered.write
    house = House(
        settings=settings,
        clock=clock,
        database=database,
        record=Coalescer(record_payments, lanes(dsn, slot), sort_key=_by_merchant_and_key),
        decide=Coalescer(decide_payments, lanes(dsn, slot + 2), sort_key=_by_id),
        payment=Coalescer(read_payments, lanes(dsn, slot), sort_key=_by_id),
        customer=Coalescer(read_customers, lanes(dsn, slot), sort_key=_by_id),
        audit=AuditTrail(dsn),
        keys=keys,
        seals=Seals(DataKeyStore(database), master, clock),
        announcements=Listener(dsn, CHANNEL, _forgetting(keys), keys.forget_all),
        duplicates=Duplicates(settings.redis_url),
        vault=vault,
        remembered=remembered,
        deprecated_use=DeprecatedUse(database, clock),
    )
    await database.open()
    await vault.start()
    house.announcements.start()
    await house.duplicates.start()
    remembered.start()
    return house


def _forgetting(keys: KeyRing) -> Callable[[str], None]:
    """What an announcement says is the hexadecimal id of a merchant."""

    def forget(merchant: str) -> None:
        try:
            keys.forget(UUID(hex=merchant))
        except ValueError:
            # Not one of ours; whatever it was about is read again.
            keys.forget_all()

    return forget


def _by_merchant_and_key(payment: NewPayment) -> tuple[UUID, UUID]:
    return payment.merchant_id, payment.key


def _by_id(row: DecidedPayment | PaymentKey | CustomerKey) -> tuple[UUID, UUID]:
    return row.merchant_id, row.id
