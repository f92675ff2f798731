"""Two finished audits side by side: two datasets, two models, before and after cleaning."""
