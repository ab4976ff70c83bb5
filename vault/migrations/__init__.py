"""Alembic's folder: `versions/` in the order of their revision numbers."""
