"""Standard objects with rules of their own: small values in a table, each with its source."""
