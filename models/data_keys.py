"""Wrapped data keys of the main house: what seals its secrets (adapters/keys/seals.py)."""

from models.tables import DATA_KEYS, MASTER_KEYS
from runtime.database import Database
from runtime.wrapped_keys import KeyTables, WrappedKeyStore

TABLES = KeyTables(DATA_KEYS, MASTER_KEYS, owner="owner_id", use="use", seal="seal")


class DataKeyStore(WrappedKeyStore):
    """The store of `adapters.keys.seals.Seals`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, TABLES)
