"""What it all comes to: edge, what limits it, advice, and the reasons to fine-tune."""
