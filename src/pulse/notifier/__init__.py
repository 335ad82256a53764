"""HTTP out: alerts from the alerts topic to the receivers of the configuration.

    alerts topic ─▶ consumer ─▶ dispatch ─▶ ledger, decide (pure) ─▶ log (deliveries topic)
          │                         ├─────▶ courier (one a receiver) ─▶ webhook, …
          └──────▶ hearing ─────▶ holding ─▶ inhibit (pure)

`app.run` is the process. `decide`, `inhibit`, `delivery`, `ledger` and `retry` do no I/O and are
told the time; `receiver` is the port that a kind of receiver implements, `kinds` the table of those
there are. Nothing here reads the engine's state; only the command line and the demo call it.
"""
