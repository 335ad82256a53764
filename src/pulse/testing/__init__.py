"""What tests of pulse, and of programs around pulse, need: servers and fakes.

Ships with the package, so that nobody has to mock pulse's own code. Nothing that runs in
production imports it.

- `pulse.testing.kafka`: a real Apache Kafka, without Docker
- `pulse.testing.valkey`: a real Valkey (the Redis protocol)
- `pulse.testing.prometheus`, `pulse.testing.alertmanager`: real ones, of Debian's packages
- `pulse.testing.system`: topics, `pulse` processes (`pulse.testing.process`), and what came out
- `pulse.testing.forked`: `pulse` processes that begin with all their imports
- `pulse.testing.paced`: weeks of made-up usage, played within a minute
- `pulse.testing.truth`: what must have come of a log, and what is not so
- `pulse.testing.dying`: a process that dies of SIGKILL, or stops, at a named step
- `pulse.testing.webhooks`: a receiver that verifies signatures, and can misbehave
"""
