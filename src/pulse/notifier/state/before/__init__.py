"""The deliveries topic as it was: version 1 of its records, and how it is taken over, once.

It had a record for each alert, state and receiver, in the alert's partition.
"""
