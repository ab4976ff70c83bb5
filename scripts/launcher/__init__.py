"""Starts, watches and stops Paymint and the servers it stands on, on one machine."""
