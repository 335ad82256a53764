"""Signals of what customers say: a ticket that waits, a bad answer to a survey, an open bug."""
