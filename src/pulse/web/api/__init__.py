"""The API, version 1: one module a matter. Everything needs a token; nothing needs a browser."""

from pulse.web.api import accounts, alerts, audit, deliveries, notes, outcomes, silences

ROUTERS = tuple(
    each.router for each in (accounts, alerts, silences, outcomes, notes, deliveries, audit)
)
