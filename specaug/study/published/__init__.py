"""What the papers' tables say, and the recipes of this laboratory for their rows."""
