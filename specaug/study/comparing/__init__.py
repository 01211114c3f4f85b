"""Comparing policies over the runs on disk: by how much, how sure, and for whom."""
