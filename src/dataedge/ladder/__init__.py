"""The rungs: what is reached on the held-out items, with the data and without."""
