"""
The bodies of files: read after the rows, one call each.

``receiving`` fetches one body and proves it; ``reading`` goes through all that a snapshot's records
name and asks for those that the store does not hold.
"""
