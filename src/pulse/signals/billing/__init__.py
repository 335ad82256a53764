"""Signals of billing: a payment, a card, a cancelled subscription."""
