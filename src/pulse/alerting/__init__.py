"""Alerting, pure: the alert itself, and the stages it passes on its way out."""
