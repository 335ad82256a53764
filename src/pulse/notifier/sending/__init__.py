"""Notifications out: a courier a receiver, the schedule of attempts, endpoints that fail."""
