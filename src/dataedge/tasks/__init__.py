"""What differs between the tasks: from a prepared dataset to what the audit says of it."""
