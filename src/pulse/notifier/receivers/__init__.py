"""One module a kind of receiver: what it is sent, and what its answers mean.

What they share is in `http` (the one client of all that speak HTTP), in `prometheus` (labels and
annotations) and in `pulse.notifier.messages` (what people read). `pulse.notifier.kinds` makes them
from the configuration; nothing else imports them. A module here knows nothing of the pipeline, of
Kafka or of the schedule: it makes one attempt.
"""
