"""Alerting, pure: the alert itself, and the stages it passes on its way out."""

# Compiled, `alert` needs the classes that it takes to be there before it is.
import pulse.engagement.account  # noqa: F401  # for that order alone
