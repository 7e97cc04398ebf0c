"""
Archiving: records leave the org once the store has proven to have them.

The order is always the same: read the chosen records with all that the org deletes along with them
(`gathering`), store them in a snapshot of their own (`storing`), read every one back from the store
and compare it with the org (`checking`), delete (`deleting`), and note what went (`results`). Promise
P5: nothing is deleted on trust.

Words: a *root* is a record that the condition has chosen; its *tree* is the root and all that goes
with it. A tree goes as a whole or stays as a whole.

An interrupt leaves copies of records that are still in the org, and never the other way round.
"""
