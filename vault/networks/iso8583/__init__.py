"""Card networks spoken to in ISO 8583:1987 over TCP."""
