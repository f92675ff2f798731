"""Asking the base model: how it is asked, and how what it says becomes probabilities."""
