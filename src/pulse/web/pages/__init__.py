"""The pages: rendered here, readable without a script, for whoever has a link or is signed in."""

from pulse.web.pages import account, fleet, line, sign_in, silences

ROUTERS = (sign_in.router, silences.router, fleet.router, line.router, account.router)
"""The account's last: its paths end in an id."""
