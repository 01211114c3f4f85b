"""Training: the Lightning module, the callbacks, the schedule."""
