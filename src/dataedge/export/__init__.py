"""What an audit found, taken out of it: suspects to decide on, a cleaned copy."""
