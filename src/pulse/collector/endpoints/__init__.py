"""The paths that clients of each dialect use; what they send is understood in `dialects`."""
