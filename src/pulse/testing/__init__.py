"""What tests of pulse, and of programs around pulse, need: servers and fakes.

Ships with the package, so that nobody has to mock pulse's own code. Nothing that runs in
production imports it.

- `pulse.testing.kafka`: a real Apache Kafka, without Docker
- `pulse.testing.valkey`: a real Valkey (the Redis protocol)
"""
