"""HTTP in: what product apps send becomes usage events and profiles on Kafka.

- `endpoints`: the paths that clients use, and what each is answered
- `dialects`: one module each; what a client sends → lines of the events topic
- `keys`: write keys, each of one source
- `body`: a request's body within its limits
- `sink`: lines → Kafka, and the answer only when Kafka has them
- `app`: the HTTP service; `process` runs it
"""
