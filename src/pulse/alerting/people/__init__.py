"""What people say: silences, snoozes, outcomes, notes, and links that lead there. Pure."""
