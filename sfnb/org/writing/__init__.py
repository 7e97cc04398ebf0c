"""Calls that write records. Each is sent once: what comes of a lost answer is up to the caller."""
