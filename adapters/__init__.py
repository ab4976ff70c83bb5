"""Whom the main house calls outside: Valkey, the vault, merchants; and its settings."""
