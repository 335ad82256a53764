"""The pages: rendered here, readable without a script, for whoever has a link or is signed in."""

from pulse.web.pages import account, events, sign_in, today

ROUTERS = (sign_in.router, events.router, today.router, account.router)
"""The account's last: its paths end in an id."""
