"""The vault's process: the relay door, the token door, the clearing of old numbers."""

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from uuid import UUID

import uvloop

from adapters.keys import KeysOutOfReach
from contract.document import load_document
from contract.operations import compile_operations
from runtime.clock import Clock, SystemClock
from runtime.database import Database, DatabaseUnavailable
from runtime.fresh_files import keep_fresh
from runtime.listening import Listener
from runtime.log import configure, log, log_exception
from runtime.memory import settle_memory
from runtime.metrics import serve_metrics
from runtime.room import Room
from vault.calls import Calls, Operations
from vault.door.desk import Desk
from vault.door.limiting import DoorLimits
from vault.door.relay import CERTIFICATES, RelayDoor, server_tls
from vault.door.server import TokenServer
from vault.door.tokens import Entrance, TokenDoor
from vault.keyring import Keyring
from vault.networks.behaviours import PUBLISHED_CARDS
from vault.networks.guard import GuardedNetworks
from vault.networks.reached import ReachedNetworks
from vault.operations.announcing import Announcing
from vault.operations.charging import Charging
from vault.operations.disputing import Disputing
from vault.operations.keeping import Keeping
from vault.operations.late_approvals import LateApprovals
from vault.operations.resolving import Resolving
from vault.operations.security_codes import SecurityCodes
from vault.operations.tokenising import Tokenising
from vault.operations.velocity import Velocity
from vault.operations.witnessing import Witnessing
from vault.settings import Settings, read_settings
from vault.store.attempts import AttemptStore
from vault.store.audit import AuditStore, AuditTrail
from vault.store.chargebacks import ChargebackStore
from vault.store.instruments import ERASED_PER_STATEMENT, InstrumentStore
from vault.store.keys import KEYS_CHANNEL, DataKeyStore, PublishableKeyStore
from vault.store.tokens import TokenStore

SWEEP_SECONDS = 15.0
PARTITIONS_LOOK_AGAIN_SECONDS = 24 * 3600.0
CHARGEBACKS_LOOK_AGAIN_SECONDS = 0.5
LATE_APPROVALS_LOOK_AGAIN_SECONDS = 1.0


class Vault:
    """Everything the process holds, opened and closed in order.

    `calendar` says which versions the token door serves; every other clock is the machine's,
    as that of the databases and of the other processes.
    """

    def __init__(self, settings: Settings, calendar: Clock | None = None) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._calendar = calendar or self._clock
        self._database = Database(settings.database_url)
        self._codes = SecurityCodes(self._clock)
        self._instruments = InstrumentStore(self._database)
        self._publishable_keys = PublishableKeyStore(self._database)
        self._data_keys = DataKeyStore(self._database)
        self._keyring = Keyring(self._data_keys, settings.open_keys(), self._clock)
        self._announcements = Listener(
            settings.database_url, KEYS_CHANNEL, self._heard, self._keyring.forget_all
        )
        self._attempts = AttemptStore(self._database, settings.database_url)
        self._networks = ReachedNetworks(settings, self._clock)
        self._tokens = TokenStore(settings.database_url)
        self._audit = AuditTrail(settings.database_url)
        self._audit_store = AuditStore(self._database)
        self._network = self._networks.network
        self._guarded = GuardedNetworks(self._network, self._clock)
        self._late_approvals = LateApprovals(self._attempts.late, self._guarded)
        self._disputing = Disputing(ChargebackStore(self._database), self._network)
        self._relay = RelayDoor(self._calls().answer, self._clock)
        self._token_server = TokenServer(self._token_door(), settings.token_port)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then finish what was begun."""
        serve_metrics(self._settings.metrics_port)
        async with AsyncExitStack() as ends:
            await self._database.open()
            ends.push_async_callback(self._database.close)
            with suppress(DatabaseUnavailable, KeysOutOfReach):
                # What is away is asked when it is needed; what is wrong ends the start.
                await self._keyring.prove()
            ends.push_async_callback(self._attempts.close)
            ends.push_async_callback(self._tokens.close)
            ends.push_async_callback(self._audit.close)
            ends.push_async_callback(self._networks.close)
            await self._networks.start()
            self._announcements.start()
            ends.push_async_callback(self._announcements.close)
            sweep = asyncio.create_task(self._keep_sweeping())
            ends.callback(sweep.cancel)
            parting = asyncio.create_task(self._keep_making_partitions())
            ends.callback(parting.cancel)
            collecting = asyncio.create_task(self._keep_collecting())
            ends.callback(collecting.cancel)
            giving_back = asyncio.create_task(self._keep_giving_back())
            ends.callback(giving_back.cancel)
            tls = self._settings.state_directory / "tls"
            await self._relay.open(self._settings.relay_port, server_tls(tls))
            renewing = asyncio.create_task(self._keep_certified(tls))
            ends.callback(renewing.cancel)
            await self._token_server.open()
            ends.push_async_callback(self._close_doors)
            settle_memory()
            log("vault_ready", relay_port=self._settings.relay_port)
            await stop.wait()
            log("vault_stopping")

    def _heard(self, merchant: str) -> None:
        try:
            self._keyring.forget(UUID(hex=merchant))
        except ValueError:
            self._keyring.forget_all()

    async def _close_doors(self) -> None:
        await asyncio.gather(self._token_server.close(), self._relay.close())

    def _calls(self) -> Calls:
        network = self._guarded
        velocity = Velocity(self._clock, PUBLISHED_CARDS)
        charging = Charging(
            self._attempts, self._keyring, self._codes, network, velocity, self._clock
        )
        operations = Operations(
            charging,
            Resolving(self._attempts, charging, network),
            Keeping(self._instruments, self._keyring, self._codes),
            self._disputing,
            Announcing(self._publishable_keys, self._data_keys, network),
            Witnessing(self._audit_store),
        )
        return Calls(operations, self._clock)

    def _token_door(self) -> TokenDoor:
        tokenising = Tokenising(
            self._tokens, self._instruments, self._keyring, self._codes, self._clock
        )
        settings = self._settings
        limits = DoorLimits(
            self._clock,
            settings.publishable_key_multiplier,
            settings.limiter_processes,
            settings.trusted_proxies,
        )
        return TokenDoor(
            tokenising,
            Desk(self._publishable_keys, self._clock),
            Entrance(limits, Room(settings.requests_in_flight), self._audit),
            compile_operations(load_document(), "vault")["create_token"],
            self._calendar,
        )

    async def _keep_certified(self, directory: Path) -> None:
        async def take() -> None:
            await self._relay.renew(server_tls(directory))
            self._networks.renew(directory)

        files = [directory / name for name in CERTIFICATES]
        await keep_fresh("private certificates", files, take)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._codes.forget_overdue()
            try:
                while await self._instruments.erase_overdue() == ERASED_PER_STATEMENT:
                    await asyncio.sleep(0)
            except DatabaseUnavailable as error:
                log_exception("sweep_failed", error)

    async def _keep_making_partitions(self) -> None:
        while True:
            try:
                await self._audit_store.make_partitions(self._clock.now())
            except Exception as error:
                # The default partition takes in what no month covers.
                log_exception("partitions_not_made", error)
            await asyncio.sleep(PARTITIONS_LOOK_AGAIN_SECONDS)

    async def _keep_collecting(self) -> None:
        while True:
            await asyncio.sleep(CHARGEBACKS_LOOK_AGAIN_SECONDS)
            try:
                await self._disputing.collect()
            except Exception as error:
                # What was not heard is told again in the next round.
                log_exception("chargebacks_not_collected", error)

    async def _keep_giving_back(self) -> None:
        while True:
            await asyncio.sleep(LATE_APPROVALS_LOOK_AGAIN_SECONDS)
            try:
                await self._late_approvals.turn()
            except Exception as error:
                # What was leased is due again.
                log_exception("late_approvals_not_looked_at", error)


async def _serve(calendar: Clock | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Vault(read_settings(), calendar).run(stop)


def main(calendar: Clock | None = None) -> None:
    """The entry of scripts/paymint-vault."""
    configure("paymint-vault")
    uvloop.run(_serve(calendar))
