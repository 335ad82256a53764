"""The pages: rendered here, without scripts, for whoever has a link or is signed in."""

from pulse.web.pages import account, sign_in

ROUTERS = (sign_in.router, account.router)
"""The account's last: its paths end in an id."""
