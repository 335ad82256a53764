"""What people say of alerts: silences, snoozes, outcomes, and links that lead there. Pure."""
