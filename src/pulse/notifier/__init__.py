"""HTTP out: alerts from the alerts topic to the receivers of the configuration.

    alerts topic ─▶ consumer ─▶ dispatch ─▶ outbox (pure: alerting.pipeline, decide) ─▶ log
          │                       ▲ ├─────▶ courier (one a receiver) ─▶ webhook, …
          ├──────▶ hearing ──▶ holding ──▶ inhibit (pure)
    silences topic ─▶ silencing ──┘

`app.run` is the process; of several one leads (`reading.leading`) and the others stand by.
`outbox`, `state.journal`, `sending.decide`, `sending.retry` and `fleet.inhibit` do no I/O and are
told the time; `receiver` is the port that a kind of receiver implements, `kinds` the table of those
there are, `receivers` has them and `messages` what people read; `state.before` takes over what
older versions recorded. Nothing here reads the engine's state; only the command line and the demo
call it.
"""
