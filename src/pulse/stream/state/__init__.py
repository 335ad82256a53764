"""A partition's state as it stands in the changelog: written, read back, and what is due.

- `pages`: the records, their keys and values
- `checkpoint`: what one writer has written, and what it has to write next
- `snapshot`: what is read back becomes a state again
- `changelog`: reads both topics as far as that needs
"""
