"""`pulse doctor`: what whoever looks (`pulse.cli.doctor_look`) found, and the judgement on it."""
