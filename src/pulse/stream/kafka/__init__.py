"""Kafka as a worker sees it: records in as columns, records out acknowledged and in order.

- `topics`: waits until they are there
- `transport`, `fetching`: Faust's consumer, bent
- `outbox`: what is produced
- `ticker`: the clock that runs
"""
