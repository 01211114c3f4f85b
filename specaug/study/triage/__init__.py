"""Errors as tasks of Label Studio, and what annotators found out of its exports: JSON files, and nothing else of it."""
