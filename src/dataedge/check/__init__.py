"""What a fine-tune would trip over, found in seconds and without a model."""
