"""The platform is told when audit entries cannot be stored (PCI DSS 4.0.1 req. 10.7.2).

Beside the metric `paymint_audit_failing` and the line `audit_write_failed`: an alert of the
platform's own, open as long as it lasts.
"""

import asyncio
from typing import Final

from domain.audit_chain import NOBODY
from models.alerts import Alert, raise_alert, resolve_alert
from runtime.clock import Clock
from runtime.database import Database, DatabaseUnavailable
from runtime.ids import uuid7
from runtime.log import log, log_exception

SINK_DOWN: Final = "audit_sink_down"
SUBJECT: Final = "audit_entries"
_LIVE: Final = True


class AuditAlarm:
    """Raises the alert when the writes begin to fail, resolves it when they succeed again.

    Where the database takes no alert either, it is raised when the writes succeed again: that
    it was so stays on record.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._telling: set[asyncio.Task[None]] = set()

    def changed(self, failing: bool) -> None:
        """The writes have begun to fail, or succeed again."""
        task = asyncio.create_task(self._tell(failing=failing))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Wait until what was begun is told."""
        if self._telling:
            await asyncio.wait(self._telling)

    async def _tell(self, *, failing: bool) -> None:
        now = self._clock.now()
        alert = Alert(uuid7(self._clock.unix_ms()), NOBODY, _LIVE, SINK_DOWN, SUBJECT, now)
        try:
            async with self._database.transaction() as transaction:
                await raise_alert(transaction, alert)
                if not failing:
                    about = (SINK_DOWN, SUBJECT)
                    await resolve_alert(transaction, NOBODY, _LIVE, about, now)
        except DatabaseUnavailable:
            log("audit_alert_not_raised", failing=failing)
        except Exception as error:
            log_exception("audit_alert_failed", error, failing=failing)
