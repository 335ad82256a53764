"""The pages: rendered here, readable without a script, for whoever has a link or is signed in."""

from pulse.web.pages import account, sign_in

ROUTERS = (sign_in.router, account.router)
"""The account's last: its paths end in an id."""
