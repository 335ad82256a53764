"""Whether the fleet falls together, and what is held while it does."""
