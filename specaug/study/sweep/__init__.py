"""Sweeps: searching a space of policies with Optuna, on one machine or many."""
