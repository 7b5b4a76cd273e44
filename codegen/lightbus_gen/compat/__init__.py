"""Whether services with two versions of the schemas can live together."""
