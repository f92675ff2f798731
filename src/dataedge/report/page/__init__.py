"""report.html: one file that shows an audit, without a network."""
