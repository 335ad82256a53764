"""Where people say something of alerts and accounts: by the page, the API, or the command line.

- `books`: what the topics say: alerts, what became of them, what is muted
- `notes`: what the topic of notes says, by account
- `desk`: what is said, written to Kafka
- `audit`: who changes what, here and elsewhere, said before it is written
"""
