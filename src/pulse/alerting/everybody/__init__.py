"""Alerts about no single account: fleet, source, configuration, receiver, digest. Pure."""
