"""What runs say of policies: intervals, verdicts, and the seeds that they take."""
