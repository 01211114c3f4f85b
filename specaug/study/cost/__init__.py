"""What training a recipe costs, told before it begins: time, memory, space on disk."""
