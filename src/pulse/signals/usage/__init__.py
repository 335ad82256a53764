"""Signals of use: silence, a drop against the own past, who and what is missing."""
