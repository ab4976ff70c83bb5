"""The simulated card networks as servers of their own: `scripts/network`."""
