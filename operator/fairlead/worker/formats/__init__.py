"""One reader a format, used by checks, SQL, evaluations, joins and fetch alike: see base.Format, registry."""
