"""What the main house may ask of the vault, one file for each matter."""
