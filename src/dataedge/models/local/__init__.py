"""A base model in this process."""
