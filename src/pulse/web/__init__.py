"""The API, and the account page that a message's links open: `pulse web`.

It reads accounts from the read model, and follows the topics of alerts, outcomes, silences and
deliveries, as far back as the configuration says. It decides nothing: what people say is written to
Kafka, and whoever runs the pipeline reads it there. Only `cli` calls it.
"""
