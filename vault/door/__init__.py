"""The two ways in: frames from the main house, tokens from the outside."""
