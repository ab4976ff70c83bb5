"""What has been kept for long enough goes: keys by their age, events and audit by the month."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# The service owns no table and may drop none.  What it may ask for is bounded here, by the
# server's own clock: seven years of audit trail and three months of events stay whatever it says.
_DROP = r"""
CREATE FUNCTION drop_months(parent text, before timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Who writes an event waits behind a drop that waits: better to try again an hour later.
SET lock_timeout = '500ms' AS $$
DECLARE
    part text;
    till timestamp;
    keeps boolean;
BEGIN
    IF parent NOT IN ('events', 'audit_entries') THEN
        RAISE EXCEPTION '% has no months', parent USING ERRCODE = '42501';
    END IF;
    IF before > now() - (CASE parent WHEN 'events' THEN interval '3 months'
                         ELSE interval '84 months' END) THEN
        RAISE EXCEPTION '% are kept for longer', parent USING ERRCODE = '42501';
    END IF;
    -- The lock of make_partitions.
    PERFORM pg_advisory_xact_lock(8097873591115146867);
    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = format('public.%I', parent)::regclass
              AND c.relname ~ ('^' || parent || '_[0-9]{4}_[0-9]{2}$') ORDER BY c.relname LOOP
        till := to_date(right(part, 7), 'YYYY_MM') + interval '1 month';
        EXIT WHEN till > before AT TIME ZONE 'UTC';
        IF parent = 'events' THEN
            keeps := EXISTS (SELECT FROM public.webhook_deliveries
                             WHERE event_id < public.first_id(till));
        ELSE
            EXECUTE format('SELECT EXISTS (SELECT FROM public.%I WHERE chain IS NULL)', part)
                INTO keeps;
            -- An entry that had to wait is sealed within 35 days (flows/audit_sealing.py):
            -- sealed it is once a later root is there, archived once every root until then is.
            keeps := keeps OR NOT EXISTS (
                SELECT FROM public.audit_roots
                WHERE sealed_at AT TIME ZONE 'UTC' > till + interval '35 days'
            ) OR EXISTS (
                SELECT FROM public.audit_roots r
                WHERE r.sealed_at AT TIME ZONE 'UTC' <= till + interval '35 days'
                  AND NOT EXISTS (SELECT FROM public.audit_exports e WHERE e.root = r.number)
            );
        END IF;
        CONTINUE WHEN keeps;
        EXECUTE format('DROP TABLE public.%I', part);
        RETURN NEXT part;
    END LOOP;
END $$"""
# In PL/pgSQL: the partitions are made after the migrations.
_MISPLACED = """
CREATE FUNCTION misplaced_rows() RETURNS TABLE (parent text, misplaced bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT 'events', count(*)
        FROM (SELECT FROM public.events_default LIMIT 10000) AS found
    UNION ALL SELECT 'audit_entries', count(*)
        FROM (SELECT FROM public.audit_entries_default LIMIT 10000) AS found;
END $$"""
_FUNCTIONS = ("drop_months(text, timestamptz)", "misplaced_rows()")


def upgrade() -> None:
    op.create_index("idempotency_keys_by_time", "idempotency_keys", ["created_at"])
    op.execute(_DROP)
    op.execute(_MISPLACED)
    for function in _FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")


def downgrade() -> None:
    for function in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("idempotency_keys_by_time", "idempotency_keys")
