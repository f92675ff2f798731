"""Learning from the data, the ladder, the verdict and the reasons."""
