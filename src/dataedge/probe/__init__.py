"""Asking the base model: what, how, and how the answer is read."""
