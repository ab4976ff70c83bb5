"""The audit trail: append-only, chained, sealed by signed roots."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_TABLES = ("audit_roots", "audit_heads", "audit_keys", "audit_exports")

# Raised for the owner too: permissions hold the service, this holds a slip of the owner's.
_REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '42501';
END $$"""
# Of what the service may not do itself it may ask for this: months' partitions.  A trigger
# for TRUNCATE is not handed down to partitions, so each gets its own.
_MAKE = """
CREATE FUNCTION make_partitions(moment timestamptz) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
    parent text;
    name text;
    since timestamp;
    till timestamp;
BEGIN
    -- Processes that start together take turns.
    PERFORM pg_advisory_xact_lock(8097873591115146867);
    FOREACH parent IN ARRAY ARRAY['events', 'audit_entries'] LOOP
        FOR ahead IN -1 .. 3 LOOP
            since := first + make_interval(months => ahead);
            till := since + interval '1 month';
            name := CASE WHEN ahead < 0 THEN parent || '_default'
                    ELSE parent || to_char(since, '_YYYY_MM') END;
            CONTINUE WHEN to_regclass(format('public.%I', name)) IS NOT NULL;
            IF ahead < 0 THEN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I DEFAULT',
                               name, parent);
            ELSE
                EXECUTE format(
                    'CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                    name, parent, public.first_id(since), public.first_id(till));
            END IF;
            IF parent = 'audit_entries' THEN
                EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.%I'
                               ' FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change()',
                               name);
            END IF;
        END LOOP;
    END LOOP;
END $$"""
_FIRST_ID = """
CREATE FUNCTION first_id(moment timestamp) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN rpad(lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid"""
_GUARD_PARTITIONS = """
DO $$
DECLARE part regclass;
BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits
                WHERE inhparent = 'public.audit_entries'::regclass LOOP
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
    END LOOP;
END $$"""


def upgrade() -> None:
    op.add_column("audit_entries", sa.Column("chain", sa.Uuid(), nullable=True))
    op.add_column("audit_entries", sa.Column("sequence", sa.BigInteger(), nullable=True))
    op.add_column("audit_entries", sa.Column("previous", sa.LargeBinary(), nullable=True))
    op.add_column("audit_entries", sa.Column("hash", sa.LargeBinary(), nullable=True))
    op.create_index("audit_entries_by_chain", "audit_entries", ["chain", "sequence"])
    _make_tables()
    op.execute(_REFUSE)
    op.execute(_FIRST_ID)
    op.execute(_MAKE)
    op.execute("REVOKE EXECUTE ON FUNCTION make_partitions(timestamptz) FROM PUBLIC")
    for table in ("audit_entries", *_TABLES):
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(_GUARD_PARTITIONS)


def _make_tables() -> None:
    op.create_table(
        "audit_roots",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", _MOMENT, nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("audit_roots_pkey")),
    )
    op.create_table(
        "audit_heads",
        sa.Column("house", sa.Text(), nullable=False),
        sa.Column("chain", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "sequence", name=op.f("audit_heads_pkey")),
    )
    op.create_index("audit_heads_by_root", "audit_heads", ["root"])
    op.create_table(
        "audit_keys",
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key_name", name=op.f("audit_keys_pkey")),
    )
    op.create_table(
        "audit_exports",
        sa.Column("root", sa.BigInteger(), nullable=False),
        sa.Column("archive", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("root", "archive", name=op.f("audit_exports_pkey")),
    )


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION make_partitions(timestamptz)")
    op.execute("DROP FUNCTION first_id(timestamp)")
    op.execute("DROP FUNCTION refuse_change() CASCADE")
    op.drop_index("audit_entries_by_chain", "audit_entries")
    for column in ("hash", "previous", "sequence", "chain"):
        op.drop_column("audit_entries", column)
