"""Measures: each returns figures, none knows of another."""
