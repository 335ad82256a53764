"""`make bench`: pulse beside what else could do its job, each row checked against the job's totals.

`rivals` runs in an environment of its own and knows nothing of pulse; the rest drives it, and runs
pulse itself as its users do. Not part of the package and of no test.
"""
