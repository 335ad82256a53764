"""Kafka in: alerts, and what people say; and which notifier leads."""
