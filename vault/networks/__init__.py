"""The card networks as the vault sees them: one interface, a simulator behind it."""
