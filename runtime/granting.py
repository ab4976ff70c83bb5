"""What the role of a service may do with tables that belong to another role."""

from collections.abc import Collection

import sqlalchemy as sa

_TABLES = """
SELECT c.relname, c.relispartition FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND pg_has_role(c.relowner, 'USAGE')"""
# Made for the services alone: they have nothing to do with partitions otherwise.
MAKE_PARTITIONS = "make_partitions(timestamptz)"


def grant(
    connection: sa.Connection,
    role: str,
    append_only: Collection[str],
    functions: Collection[str] = (MAKE_PARTITIONS,),
) -> None:
    """Let `role` read and change every table; those of `append_only` read and add to.

    `functions` it may call: they do with the owner's rights what it may not do itself.

    Nothing is granted on partitions: rows go in and out through the table that they are
    part of, and its permissions are the ones that count.
    """
    name = connection.dialect.identifier_preparer.quote(role)
    statements = [
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}",
        *(f"GRANT EXECUTE ON FUNCTION public.{function} TO {name}" for function in functions),
    ]
    for table, is_partition in connection.execute(sa.text(_TABLES)).all():
        statements.append(f"REVOKE ALL ON public.{table} FROM {name}")
        if is_partition:
            continue
        rights = "SELECT, INSERT" if table in append_only else "SELECT, INSERT, UPDATE, DELETE"
        if table == "alembic_version":
            rights = "SELECT"
        statements.append(f"GRANT {rights} ON public.{table} TO {name}")
    for statement in statements:
        connection.execute(sa.text(statement))
