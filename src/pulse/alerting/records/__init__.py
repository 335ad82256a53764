"""The records of the deliveries topic, pure: written by who leads, read by whoever shows them.

`envelope` is what is around each of them, `delivery` a notification's, `beside` what stands with an
alert's. `reader.Deliveries` is fed the topic's first partition and knows what it says. What the
pipeline itself writes is in `pulse.alerting.book`.
"""
