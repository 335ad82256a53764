"""Webhooks of billing and support services: one module each.

A service's module has `check`, whether a delivery is really its own, and `told`, what it says of an
account: the facts that pulse's signals know, by the names that they have without any configuration.
`signing` is what the checks share, `reading` what the rest does.
"""
