"""
An org's metadata in its snapshots: each content once, and a record of what a snapshot has.

``packs`` holds contents, the new ones of one retrieve in one zip. ``record`` says which components
a snapshot has, and which content each of their files is; where nothing has changed it names the
snapshot that says so. ``view`` reads and writes out what a snapshot has; ``diff`` compares two of
them (pure). docs/format.md describes the files.
"""
