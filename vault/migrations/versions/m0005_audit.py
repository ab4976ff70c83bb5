"""The audit trail of the token door: append-only and chained, a partition for each month."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Raised for the owner too: permissions hold the service, this holds a slip of the owner's.
_REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '42501';
END $$"""
_FIRST_ID = """
CREATE FUNCTION first_id(moment timestamp) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN rpad(lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid"""
# Of what the service may not do itself it may ask for this: months' partitions.  A trigger
# for TRUNCATE is not handed down to partitions, so each gets its own.
_MAKE = """
CREATE FUNCTION make_partitions(moment timestamptz) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
    name text;
    since timestamp;
BEGIN
    -- Processes that start together take turns.
    PERFORM pg_advisory_xact_lock(8097873591115146867);
    FOR ahead IN -1 .. 3 LOOP
        since := first + make_interval(months => ahead);
        name := CASE WHEN ahead < 0 THEN 'audit_entries_default'
                ELSE 'audit_entries' || to_char(since, '_YYYY_MM') END;
        CONTINUE WHEN to_regclass(format('public.%I', name)) IS NOT NULL;
        IF ahead < 0 THEN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.audit_entries DEFAULT',
                           name);
        ELSE
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.audit_entries'
                           ' FOR VALUES FROM (%L) TO (%L)', name,
                           public.first_id(since),
                           public.first_id(since + interval '1 month'));
        END IF;
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.%I'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change()', name);
    END LOOP;
END $$"""


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=True),
        sa.Column("entry", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("chain", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", "merchant_id", name=op.f("audit_entries_pkey")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("audit_entries_by_chain", "audit_entries", ["chain", "sequence"])
    op.execute(_REFUSE)
    op.execute(_FIRST_ID)
    op.execute(_MAKE)
    op.execute("REVOKE EXECUTE ON FUNCTION make_partitions(timestamptz) FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit_entries"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("audit_entries")
    op.execute("DROP FUNCTION make_partitions(timestamptz)")
    op.execute("DROP FUNCTION first_id(timestamp)")
    op.execute("DROP FUNCTION refuse_change()")
