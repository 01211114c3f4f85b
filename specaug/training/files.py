"""The names of what training leaves in a run folder."""

LAST, BEST, CURVES = "last.ckpt", "best.ckpt", "curves.csv"
