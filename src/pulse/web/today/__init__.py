"""Whom to call today: the accounts in danger and approaching it, kept at hand.

- `board`: an index in memory of what the read model has, as fresh as its writers
- `choosing`: which of them are shown, in which order, and the sums beside them
- `table`: the same as CSV
- `live`: browsers that are told when something changes
"""
