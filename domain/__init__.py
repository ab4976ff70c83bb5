"""What is true: states, rules, refusals.  Pure: no I/O, no clock, no framework."""
