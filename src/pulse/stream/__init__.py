"""The worker: the engine on Kafka, in Faust.

What lives here moves bytes: records to the engine, alerts and dead letters out, state to the
changelog and back. What the records mean is the engine's. Only this room imports Faust.

The order of writes keeps every promise: alerts, pages, manifest, commit, each acknowledged before
the next. `partition` has it on one screen.
"""
