"""A run as W&B, TensorBoard and Trackio show it."""
