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
        self._keys, self._masters = data_keys, master_keys
        self._owner, self._use = data_keys.c[owner], data_keys.c[use]
        self._master = _given("master", master_keys.c.name)
        self._in_use = (master_keys.c.name == self._master, master_keys.c.retired_at.is_(None))
        self._place = (self._owner, self._use, data_keys.c.version)
        self._named = tuple(
            _given(name, column)
            for name, column in zip(("owner", "use", "version"), self._place, strict=True)
        )
        self._sealing = self._use == sa.literal_column(f"'{seal}'")
        self._write_data_keys()
        self._read_data_keys()
        self._write_master_keys()
        self._read_ages()

    def _write_data_keys(self) -> None:
        keys = self._keys.c
        written = {
            **{column.name: given for column, given in zip(self._place, self._named, strict=True)},
            "wrapped": _given("wrapped", keys.wrapped),
            "master_key": self._master,
        }
        from_master = sa.select(*written.values()).select_from(self._masters).where(*self._in_use)
        self.add = compile_sql(
            insert(self._keys)
            .from_select(
                list(written), from_master.with_for_update(read=True), include_defaults=False
            )
            .on_conflict_do_nothing()
        )
        self.rewrap = compile_sql(
            sa.update(self._keys)
            .values(wrapped=written["wrapped"], master_key=self._master)
            .where(*self._this(3), keys.wrapped == _given("before", keys.wrapped))
        )

    def _read_data_keys(self) -> None:
        keys, most = self._keys.c, sa.bindparam("most", type_=sa.Integer)
        self.load = compile_sql(
            sa.select(keys.version, keys.wrapped).where(*self._this(2)).order_by(keys.version)
        )
        self.of_others = compile_sql(
            sa.select(
                self._owner.label("owner"), self._use.label("use"), keys.version, keys.wrapped
            )
            .where(keys.master_key != self._master)
            .where(sa.tuple_(*self._place) > sa.tuple_(*self._named))
            .order_by(*self._place)
            .limit(most)
        )
        after = self._named[0]
        under = (
            sa.select(keys.wrapped).where(keys.master_key == self._masters.c.name).limit(1)
        ).lateral("under")
        self.samples = compile_sql(
            sa.select(under.c.wrapped)
            .select_from(self._masters.join(under, sa.true()))
            .where(self._masters.c.retired_at.is_(None))
        )
        self.behind = compile_sql(
            sa.select(self._owner.label("owner"))
            .where(self._sealing, sa.or_(after.is_(None), self._owner > after))
            .group_by(self._owner)
            .having(sa.func.max(keys.created_at) < sa.bindparam("moment", type_=_MOMENT))
            .order_by(self._owner)
            .limit(most)
        )

    def _write_master_keys(self) -> None:
        masters = self._masters.c
        began = {"rotation_began_at": sa.func.now(), "rotation_ended_at": sa.null()}
        self.meet = compile_sql(_met(self._masters).on_conflict_do_nothing())
        self.begin = compile_sql(
            _met(self._masters, rotation_began_at=sa.func.now())
            .on_conflict_do_update(index_elements=["name"], set_=began)
            .returning(masters.rotation_began_at)
        )
        self.end = compile_sql(
            sa.update(self._masters)
            .values(rotation_ended_at=sa.func.now())
            .where(masters.name == self._master)
        )
        self.retire = compile_sql(
            sa.update(self._masters).values(retired_at=sa.func.now()).where(*self._in_use)
        )
        self.in_use = compile_sql(sa.select(masters.name).where(*self._in_use))
        self.lock_master = compile_sql(
            sa.select(masters.name).where(*self._in_use).with_for_update()
        )

    def _read_ages(self) -> None:
        keys, masters = self._keys.c, self._masters.c
        ended = masters.rotation_ended_at
        began = masters.rotation_began_at.is_not(None)
        self.under_way = compile_sql(sa.select(self._masters).where(began, ended.is_(None)))
        self.masters = compile_sql(sa.select(self._masters).order_by(masters.created_at))
        count = sa.func.count()
        self.wrapped_by = compile_sql(
            sa.select(count.label("count")).where(keys.master_key == self._master)
        )
        before = sa.bindparam("moment", type_=_MOMENT)
        born = sa.func.max(keys.created_at).label("born")
        newest = sa.select(born).where(self._sealing).group_by(self._owner).subquery()
        old_masters = sa.select(count).where(masters.retired_at.is_(None))
        old_keys = sa.select(count).select_from(newest).where(newest.c.born < before)
        self.ages = compile_sql(
            sa.select(
                old_masters.where(masters.created_at < before)
                .scalar_subquery()
                .label("master_keys"),
                old_keys.scalar_subquery().label("data_keys"),
            )
        )
        self.summary = compile_sql(
            sa.select(
                self._use.label("use"),
                count.label("keys"),
                sa.func.count(sa.distinct(self._owner)).label("owners"),
                sa.func.max(keys.version).label("newest_version"),
                sa.func.min(keys.created_at).label("oldest"),
            )
            .group_by(self._use)
            .order_by(self._use)
        )

    def _this(self, columns: int) -> list[sa.ColumnElement[bool]]:
        """Equalities of the first columns of the primary key."""
        pairs = zip(self._place, self._named, strict=True)
        return [column == given for column, given in pairs][:columns]


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

    async def samples(self) -> list[bytes]:
        """A wrapped key for each master key in use, where it has wrapped any."""
        async with self._database.reading() as transaction:
            return [bytes(row["wrapped"]) for row in await transaction.all(self._sql.samples)]

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
