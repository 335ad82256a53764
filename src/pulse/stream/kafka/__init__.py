"""Kafka as a worker sees it: records in as columns, records out acknowledged and in order.

- `topics`: waits until they are there
- `transport`, `fetching`, `records`: Faust's consumer, bent
- `outbox`: what is produced of a partition
- `ticker`: the clock that runs
"""
