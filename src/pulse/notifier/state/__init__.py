"""What the notifier knows, in the deliveries topic: written, read back, and from before."""
