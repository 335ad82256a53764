"""Engagement, pure: days, tiles, windows, measures, scorecard, line, zones, lifecycle.

What lives here is arithmetic on one account. It reads no clock, no environment, no network, and
knows nothing of batches, partitions or files; `pulse.engine` calls it.
"""
