"""A real fine-tune within a budget of minutes, judged on the held-out items of the ladder."""
