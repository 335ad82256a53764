"""Signals, pure: reasons to alert that are not the score, one module a signal."""
