"""Pages: one HTML file each that needs nothing else."""
