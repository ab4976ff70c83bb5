"""What the audit trail shows to whoever keeps it: see docs/audit.md."""
