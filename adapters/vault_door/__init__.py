"""The main house's end of the private door to the vault."""

from adapters.vault_door.door import VaultDoor
from adapters.vault_door.outcomes import NoAnswer, NotBegun, Refused, Unknown, Unsent

__all__ = ["NoAnswer", "NotBegun", "Refused", "Unknown", "Unsent", "VaultDoor"]
