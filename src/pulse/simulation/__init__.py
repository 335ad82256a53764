"""A made-up product: believable accounts that use it, and some that leave for known reasons.

What lives here is random by a seed alone, and pure: no clock, no files. Who calls it: `pulse
simulate`, and tests that need to know why an account left.
"""
