"""`python -m flows.migrate`: bring the main database to this version's tables.

As `python -m models.migrate`, with the keys at hand that seal what an older version stored
in clear.
"""

import asyncio
from uuid import UUID

from adapters.keys import DataKeys, KeyProvider, Seals
from adapters.settings import Settings
from models.migrate import migrate, owner_and_service
from models.sealing_rows import Sealer
from runtime.clock import SystemClock


class RowSealer:
    """Seals row by row for a migration, which knows no event loop."""

    def __init__(self, keys: DataKeys, provider: KeyProvider, runner: asyncio.Runner) -> None:
        self._seals = Seals(keys, provider, SystemClock())
        self._runner = runner

    def seal(self, owner: UUID, purpose: str, text: str) -> bytes:
        """The text under seal."""
        return self._runner.run(self._seals.seal(owner, purpose, text.encode()))

    def index(self, owner: UUID, purpose: str, text: str) -> bytes:
        """The keyed digest of the text."""
        return self._runner.run(self._seals.index(owner, purpose, text))


def migrate_and_seal(
    database_url: str, provider: KeyProvider, service_role: str | None = None
) -> None:
    """Run every migration that has not run, and seal what they find in clear."""
    with asyncio.Runner() as runner:

        def sealer(keys: DataKeys) -> Sealer:
            return RowSealer(keys, provider, runner)

        migrate(database_url, sealer, service_role)


if __name__ == "__main__":
    url, role = owner_and_service()
    migrate_and_seal(url, Settings.from_environment().open_keys(), role)
