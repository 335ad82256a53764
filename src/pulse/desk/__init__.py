"""Where people say something of alerts: by the page, the API, or the command line.

- `books`: what the topics say: alerts, what became of them, what is muted
- `desk`: what is said, written to Kafka
- `audit`: who changes what, here and elsewhere, said before it is written
"""
