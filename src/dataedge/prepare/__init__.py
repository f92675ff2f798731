"""A dataset made ready: vectors, near duplicates, and the three sides of the split."""
