"""The pages: rendered here, without scripts, for whoever has a link or is signed in."""

from pulse.web.pages import account, sign_in, silences

ROUTERS = (sign_in.router, silences.router, account.router)
"""The account's last: its paths end in an id."""
