"""The report: one model, several renderings."""
