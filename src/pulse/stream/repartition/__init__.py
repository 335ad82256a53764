"""Rewriting the state for another number of partitions, while nobody works on it.

- `reading`: what the partitions that there are know, read to the end of the events
- `merging`: what all of them say of the whole becomes one
- `moving`: each account into the partition that is its own by the other number
- `writing`: the new topics, in an order that can be broken off anywhere and begun again

What is read is not changed: who does not want the new topics goes on with the old ones.
"""
