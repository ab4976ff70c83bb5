"""The tables of wrapped data keys and of the master keys that wrap them.

Two processes may look at one key at once while a third retires a master key, so a data key is
stored only while its master key is in use, under a lock that retiring it takes as well.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from runtime.database import Database, Row, Statement, Transaction, compile_sql

# Two rotations of one database take turns; the number only has to be this one's own.
_ROTATION_LOCK: Final = 0x7061_796D_6B65_7973
_MOMENT: Final = sa.TIMESTAMP(timezone=True)

# (version, wrapped key), oldest first.
WrappedKeys = list[tuple[int, bytes]]


class MasterKey(NamedTuple):
    """A master key: its name is `<kind of holder>:<its own id>`."""

    name: str
    created_at: datetime


class NewKey(NamedTuple):
    """A wrapped data key that is to be stored."""

    owner: UUID
    use: str
    version: int
    wrapped: bytes
    master: str


class DataKey(NamedTuple):
    """A stored data key."""

    owner: UUID
    use: str
    version: int
    wrapped: bytes


class Ages(NamedTuple):
    """Keys in use that were made before some moment."""

    master_keys: int
    data_keys: int


def master_key_columns() -> list[sa.Column[Any]]:
    """Columns of the table of master keys: never a key, only what is to be known of it."""
    return [
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        # The rotation that made it the current one; null: it is the first.
        sa.Column("rotation_began_at", _MOMENT),
        sa.Column("rotation_ended_at", _MOMENT),
        sa.Column("retired_at", _MOMENT),
    ]


class KeyTables:
    """Statements over one pair of tables, compiled once.

    `owner` and `use` are the columns' names in `data_keys`; `seal` is the use of those keys
    that are rotated.
    """

    def __init__(
        self, data_keys: sa.Table, master_keys: sa.Table, owner: str, use: str, seal: str
    ) -> None:
        keys, masters = data_keys.c, master_keys.c
        owned_by, used_for = keys[owner], keys[use]
        self.named = {"owner": owner, "use": use}
        this = (
            owned_by == _given("owner", owned_by),
            used_for == _given("use", used_for),
            keys.version == _given("version", keys.version),
        )
        in_use = (masters.name == _given("master", masters.name), masters.retired_at.is_(None))
        written = {
            owner: _given("owner", owned_by),
            use: _given("use", used_for),
            "version": _given("version", keys.version),
            "wrapped": _given("wrapped", keys.wrapped),
            "master_key": _given("master", masters.name),
        }
        row = (
            owned_by.label("owner"),
            used_for.label("use"),
            keys.version,
            keys.wrapped,
        )
        place = sa.tuple_(owned_by, used_for, keys.version)
        self.load = compile_sql(
            sa.select(keys.version, keys.wrapped).where(*this[:2]).order_by(keys.version)
        )
        self.add = compile_sql(
            insert(data_keys)
            .from_select(
                list(written),
                sa.select(*written.values())
                .select_from(master_keys)
                .where(*in_use)
                .with_for_update(read=True),
                include_defaults=False,
            )
            .on_conflict_do_nothing()
        )
        self.in_use = compile_sql(sa.select(masters.name).where(*in_use))
        self.meet = compile_sql(_met(master_keys).on_conflict_do_nothing())
        self.begin = compile_sql(
            _met(master_keys, rotation_began_at=sa.func.now())
            .on_conflict_do_update(
                index_elements=["name"],
                set_={"rotation_began_at": sa.func.now(), "rotation_ended_at": sa.null()},
            )
            .returning(masters.rotation_began_at)
        )
        self.under_way = compile_sql(
            sa.select(master_keys).where(
                masters.rotation_began_at.is_not(None), masters.rotation_ended_at.is_(None)
            )
        )
        self.end = compile_sql(
            sa.update(master_keys)
            .values(rotation_ended_at=sa.func.now())
            .where(masters.name == _given("master", masters.name))
        )
        self.of_others = compile_sql(
            sa.select(*row)
            .where(keys.master_key != _given("master", masters.name))
            .where(
                place
                > sa.tuple_(
                    _given("owner", owned_by),
                    _given("use", used_for),
                    _given("version", keys.version),
                )
            )
            .order_by(owned_by, used_for, keys.version)
            .limit(_given("most", keys.version))
        )
        self.rewrap = compile_sql(
            sa.update(data_keys)
            .values(wrapped=_given("wrapped", keys.wrapped), master_key=written["master_key"])
            .where(*this, keys.wrapped == _given("before", keys.wrapped))
        )
        youngest = sa.func.max(keys.created_at)
        sealing = used_for == sa.literal_column(f"'{seal}'")
        self.behind = compile_sql(
            sa.select(owned_by.label("owner"))
            .where(sealing)
            .where(
                sa.or_(_given("owner", owned_by).is_(None), owned_by > _given("owner", owned_by))
            )
            .group_by(owned_by)
            .having(youngest < sa.bindparam("moment", type_=_MOMENT))
            .order_by(owned_by)
            .limit(_given("most", keys.version))
        )
        self.masters = compile_sql(sa.select(master_keys).order_by(masters.created_at))
        self.lock_master = compile_sql(sa.select(masters.name).where(*in_use).with_for_update())
        self.wrapped_by = compile_sql(
            sa.select(sa.func.count().label("count")).where(
                keys.master_key == _given("master", masters.name)
            )
        )
        self.retire = compile_sql(
            sa.update(master_keys).values(retired_at=sa.func.now()).where(*in_use)
        )
        newest = sa.select(youngest.label("born")).where(sealing).group_by(owned_by).subquery()
        before = sa.bindparam("moment", type_=_MOMENT)
        self.ages = compile_sql(
            sa.select(
                sa.select(sa.func.count())
                .where(masters.retired_at.is_(None), masters.created_at < before)
                .scalar_subquery()
                .label("master_keys"),
                sa.select(sa.func.count())
                .select_from(newest)
                .where(newest.c.born < before)
                .scalar_subquery()
                .label("data_keys"),
            )
        )
        self.summary = compile_sql(
            sa.select(
                used_for.label("use"),
                sa.func.count().label("keys"),
                sa.func.count(sa.distinct(owned_by)).label("owners"),
                sa.func.max(keys.version).label("newest_version"),
                sa.func.min(keys.created_at).label("oldest"),
            )
            .group_by(used_for)
            .order_by(used_for)
        )


def _given(name: str, like: sa.Column[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=like.type)


def _met(master_keys: sa.Table, **more: Any) -> Any:
    return insert(master_keys).values(
        name=_given("name", master_keys.c.name),
        created_at=_given("created_at", master_keys.c.created_at),
        **more,
    )


_LOCK: Final[Statement] = compile_sql(
    sa.select(sa.func.pg_try_advisory_lock(sa.literal_column(str(_ROTATION_LOCK))).label("held"))
)
_UNLOCK: Final[Statement] = compile_sql(
    sa.select(sa.func.pg_advisory_unlock(sa.literal_column(str(_ROTATION_LOCK))))
)


class WrappedKeyStore:
    """Wrapped data keys, and what is known of the master keys."""

    def __init__(self, database: Database, tables: KeyTables) -> None:
        self._database = database
        self._sql = tables

    async def load(self, owner: UUID, use: str) -> WrappedKeys:
        """Every version and its wrapped key, oldest first."""
        async with self._database.reading() as transaction:
            rows = await transaction.all(self._sql.load, owner=owner, use=use)
        return [(row["version"], bytes(row["wrapped"])) for row in rows]

    async def add(self, key: NewKey) -> bool:
        """Store a version, unless there is one; False where its master key is not in use."""
        async with self._database.transaction() as transaction:
            if await transaction.run(self._sql.add, **key._asdict()):
                return True
            return await transaction.maybe(self._sql.in_use, master=key.master) is not None

    async def meet(self, master: MasterKey) -> None:
        """Note a master key that is in use from now on, unless it is known."""
        async with self._database.transaction() as transaction:
            await transaction.run(self._sql.meet, **master._asdict())

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Whether nobody else rotates; nobody can begin to while this is held."""
        async with self._database.reading() as connection:
            held = bool((await connection.one(_LOCK))["held"])
            try:
                yield held
            finally:
                if held:
                    await connection.one(_UNLOCK)

    async def under_way(self) -> Row | None:
        """The master key of a rotation that has not ended."""
        async with self._database.reading() as transaction:
            return await transaction.maybe(self._sql.under_way)

    async def begin(self, master: MasterKey) -> datetime:
        """A rotation to this master key begins now, by the database's clock."""
        async with self._database.transaction() as transaction:
            row = await transaction.one(self._sql.begin, **master._asdict())
        began_at: datetime = row["rotation_began_at"]
        return began_at

    async def end(self, master: str) -> None:
        """The rotation to this master key is done."""
        async with self._database.transaction() as transaction:
            await transaction.run(self._sql.end, master=master)

    async def of_others(self, master: str, after: DataKey | None, most: int) -> list[DataKey]:
        """Data keys under other master keys, those that follow `after` in their order."""
        owner, use, version = after[:3] if after else (UUID(int=0), "", 0)
        async with self._database.reading() as transaction:
            rows = await transaction.all(
                self._sql.of_others,
                master=master,
                owner=owner,
                use=use,
                version=version,
                most=most,
            )
        return [
            DataKey(row["owner"], row["use"], row["version"], bytes(row["wrapped"])) for row in rows
        ]

    async def rewrap(self, key: DataKey, wrapped: bytes, master: str) -> bool:
        """Store the same key under another master key; False where somebody was faster."""
        async with self._database.transaction() as transaction:
            touched = await transaction.run(
                self._sql.rewrap,
                owner=key.owner,
                use=key.use,
                version=key.version,
                before=key.wrapped,
                wrapped=wrapped,
                master=master,
            )
        return touched == 1

    async def behind(self, moment: datetime, after: UUID | None, most: int) -> list[UUID]:
        """Owners whose newest sealing key is older than `moment`, in the order of their ids."""
        async with self._database.reading() as transaction:
            rows = await transaction.all(self._sql.behind, moment=moment, owner=after, most=most)
        return [row["owner"] for row in rows]

    async def masters(self) -> list[Row]:
        """Every master key that was ever in use, the oldest first."""
        async with self._database.reading() as transaction:
            return await transaction.all(self._sql.masters)

    async def wrapped_by(self, master: str) -> int:
        """How many data keys are under a master key."""
        async with self._database.reading() as transaction:
            return await _count(transaction, self._sql.wrapped_by, master)

    async def retire(self, master: str) -> bool:
        """Take a master key out of use; False where a data key is still under it."""
        async with self._database.transaction() as transaction:
            if await transaction.maybe(self._sql.lock_master, master=master) is None:
                return True
            if await _count(transaction, self._sql.wrapped_by, master):
                return False
            await transaction.run(self._sql.retire, master=master)
        return True

    async def ages(self, moment: datetime) -> Ages:
        """How many master keys, and newest sealing keys, were made before `moment`."""
        async with self._database.reading() as transaction:
            row = await transaction.one(self._sql.ages, moment=moment)
        return Ages(**row)

    async def summary(self) -> list[Row]:
        """For each use: keys, owners, newest version, oldest moment."""
        async with self._database.reading() as transaction:
            return await transaction.all(self._sql.summary)


async def _count(transaction: Transaction, statement: Statement, master: str) -> int:
    count: int = (await transaction.one(statement, master=master))["count"]
    return count
