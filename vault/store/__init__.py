"""What the vault stores: sealed instruments, wrapped keys, attempts and their results."""
