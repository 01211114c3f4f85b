"""Comparisons as text, Markdown, CSV, tab-separated values and LaTeX."""
