"""The pages: rendered here, readable without a script, for whoever has a link or is signed in."""

from pulse.web.pages import account, audit, events, fleet, line, sign_in, silences, today

ROUTERS = (
    sign_in.router,
    events.router,
    today.router,
    silences.router,
    fleet.router,
    line.router,
    audit.router,
    account.router,
)
"""The account's last: its paths end in an id."""
