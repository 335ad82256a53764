"""Signals of the relation: seats, onboarding, check-ins, the renewal, who may be asked."""
