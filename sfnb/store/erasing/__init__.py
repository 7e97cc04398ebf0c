"""
Erasing records from all snapshots: GDPR, article 17.

``tables``: an object's versions, its log and its statistics. ``counts``: what the readings then say.
``manifests``: what the seals then say. ``related``: records that hang on others. ``elsewhere``: what
other files of a store have of them. ``run``: all of it, step by step, so that a kill harms nothing.

What was said of the past stays provable: a line of a manifest says how many records were erased
since, and the org's count then is compared with the stored and the erased records together.
"""
