"""A storm: seeded traffic and seeded faults on a stack of its own, judged when it is over."""
