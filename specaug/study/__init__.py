"""Studies: recipes, runs, ablations, statistics, tables."""
