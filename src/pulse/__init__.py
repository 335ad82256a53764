"""pulse: engagement scores per account from a stream of product usage events.

Rooms and what each may import are drawn in the README; `import-linter` holds the drawing.
"""

__version__ = "0.1.0"

from pulse import twin as _twin

_twin.choose()
