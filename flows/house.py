"""The house: everything a flow may ask for, opened once per process.

Flows are functions; what they stand on (clock, database, vault, keys) is handed to them
in one value instead of being found through imports or globals.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from adapters.audit_archive import Archive, open_archive
from adapters.countries import Countries
from adapters.exchange_rates import ExchangeRates, open_rates
from adapters.keys import KeysOutOfReach, Seals
from adapters.limiter import Limiter
from adapters.remembered_rows import RememberedRows
from adapters.settings import Settings
from adapters.token_records import TokenRecords
from adapters.vault_door import VaultDoor
from flows.access_tokens import TokenRing
from flows.audit_alarm import AuditAlarm
from flows.authentication import KeyRing
from flows.client_secrets import ClientSecrets
from flows.deprecated_use import DeprecatedUse
from flows.overuse import Overuse
from flows.signing_keys import SigningKeys
from models.announcing import CHANNEL
from models.audit import AuditTrail
from models.customer_reads import CustomerKey, read_customers
from models.data_keys import DataKeyStore
from models.operation_begin import NewOperation, begin_operations
from models.operation_end import EndedOperation, end_operations
from models.payment_decide import DecidedPayment, decide_payments
from models.payment_reads import PaymentKey, read_payments
from models.payment_record import NewPayment, Recorded, record_payments
from runtime.clock import Clock, SystemClock
from runtime.coalescer import Coalescer, lanes
from runtime.database import Database, DatabaseUnavailable, Row
from runtime.ids import uuid7
from runtime.listening import Listener
from runtime.one_at_a_time import OneAtATime
from runtime.room import Room

# Counter slots of one process: its lanes and the connections of its pool, each its own.
SLOTS_PER_PROCESS = 16
MAX_PROCESSES = 64
BATCH_ITEMS_PER_PROCESS = 400
_POOL_SLOT = 6
_KEY_CONNECTIONS = 2
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class House:
    """The opened parts of one process."""

    settings: Settings
    clock: Clock
    database: Database
    key_database: Database
    record: Coalescer[NewPayment, Recorded]
    decide: Coalescer[DecidedPayment, bool]
    begin: Coalescer[NewOperation, Row | None]
    end: Coalescer[EndedOperation, bool]
    payment: Coalescer[PaymentKey, Row | None]
    customer: Coalescer[CustomerKey, Row | None]
    audit: AuditTrail
    audit_alarm: AuditAlarm
    keys: KeyRing
    tokens: TokenRing
    token_records: TokenRecords
    signing_keys: SigningKeys
    client_secrets: ClientSecrets
    seals: Seals
    announcements: Listener
    vault: VaultDoor
    remembered: RememberedRows
    deprecated_use: DeprecatedUse
    limiter: Limiter
    overuse: Overuse
    room: Room
    archive: Archive
    rates: ExchangeRates
    # Loaded by the process that answers clients.
    countries: Countries = field(default_factory=Countries)
    readiness: OneAtATime[dict[str, Any]] = field(default_factory=OneAtATime)
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
        await self.begin.close()
        await self.end.close()
        await self.payment.close()
        await self.customer.close()
        await self.audit.close()
        await self.audit_alarm.close()
        await self.announcements.close()
        await self.deprecated_use.close()
        await self.overuse.close()
        await self.limiter.close()
        self.keys.close()
        self.client_secrets.close()
        await self.token_records.close()
        await self.vault.close()
        await self.remembered.close()
        await self.key_database.close()
        await self.database.close()


async def open_house(settings: Settings, clock: Clock | None = None) -> House:
    """Open every part; servers that are not there yet are tried again when asked."""
    clock = clock or SystemClock()
    dsn = settings.database_url
    slot = settings.process_number % MAX_PROCESSES * SLOTS_PER_PROCESS
    database = Database(dsn, slot + _POOL_SLOT)
    keys = KeyRing(database, clock, settings.failed_authentications_per_minute)
    # Keys have a pool of their own: who waits for one may be holding the last of the other.
    key_database = Database(dsn, slot + _POOL_SLOT, _KEY_CONNECTIONS)
    seals = Seals(DataKeyStore(key_database), settings.open_keys(), clock)
    # Its deadlines are compared by another process: they are the machine's time, always.
    vault = VaultDoor(_LOOPBACK, settings.relay_port, settings.state_directory / "tls")
    remembered = RememberedRows(settings.redis_url if settings.read_cache else None)
    if remembered.on:
        database.on_commit = remembered.write
    records = TokenRecords(settings.redis_url, seals, clock)
    signing_keys = SigningKeys(database, seals, clock)
    tokens = TokenRing(database, clock, signing_keys, records, settings.origin)
    house = House(
        settings=settings,
        clock=clock,
        database=database,
        key_database=key_database,
        record=Coalescer(record_payments, lanes(dsn, slot), sort_key=_by_merchant_and_key),
        decide=Coalescer(decide_payments, lanes(dsn, slot + 2), sort_key=_by_id),
        # Beginning counts and posts nothing.
        begin=Coalescer(begin_operations, lanes(dsn, slot), sort_key=_by_id),
        end=Coalescer(end_operations, lanes(dsn, slot + 4), sort_key=_by_id),
        payment=Coalescer(read_payments, lanes(dsn, slot), sort_key=_by_id),
        customer=Coalescer(read_customers, lanes(dsn, slot), sort_key=_by_id),
        audit=AuditTrail(dsn),
        audit_alarm=AuditAlarm(database, clock),
        keys=keys,
        tokens=tokens,
        token_records=records,
        signing_keys=signing_keys,
        client_secrets=ClientSecrets(clock, settings.failed_authentications_per_minute),
        seals=seals,
        announcements=Listener(dsn, CHANNEL, *_forgetting(keys, tokens, seals)),
        vault=vault,
        remembered=remembered,
        deprecated_use=DeprecatedUse(database, clock),
        limiter=Limiter(settings.redis_url, clock, settings.limiter_processes),
        overuse=Overuse(database, clock),
        room=Room(settings.requests_in_flight, settings.requests_at_work),
        archive=open_archive(settings.audit_archive, settings.state_directory),
        rates=open_rates(settings.exchange_rates),
    )
    house.audit.rows.on_change = house.audit_alarm.changed
    await _start(house)
    return house


async def _start(house: House) -> None:
    await house.database.open()
    await house.key_database.open()
    with suppress(DatabaseUnavailable, KeysOutOfReach):
        # What is away is asked when it is needed; what is wrong ends the start.
        await house.seals.prove()
    await house.vault.start()
    house.announcements.start()
    await house.limiter.start()
    house.remembered.start()
    house.token_records.start()


def _forgetting(
    *remembering: KeyRing | TokenRing | Seals,
) -> tuple[Callable[[str], None], Callable[[], None]]:
    """What to do when a merchant was announced, by its hexadecimal id, and when all were."""

    def forget(merchant: str) -> None:
        try:
            identifier = UUID(hex=merchant)
        except ValueError:
            # It is about everybody.
            forget_all()
        else:
            for each in remembering:
                each.forget(identifier)

    def forget_all() -> None:
        for each in remembering:
            each.forget_all()

    return forget, forget_all


# Numbers, because comparing UUIDs is written in Python and takes ten times as long.
def _by_merchant_and_key(payment: NewPayment) -> tuple[int, int]:
    return payment.merchant_id.int, payment.key.int


def _by_id(
    row: DecidedPayment | NewOperation | EndedOperation | PaymentKey | CustomerKey,
) -> tuple[int, int]:
    return row.merchant_id.int, row.id.int
