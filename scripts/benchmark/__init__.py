"""What a request costs, in one run: our stack, pgbench on its server, the ASGI floor."""
