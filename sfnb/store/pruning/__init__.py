"""
Pruning: which snapshots go, and giving back the space that only they need.

``keep``: what a policy keeps (pure). ``plan``: what each snapshot needs. ``tables``: an object's
versions. ``bodies``, ``metadata``: what else snapshots share. ``run``: all of it, and its estimate.

First ``pruned.json`` names the snapshots that go, then their plans and manifests go, then the space.
A kill leaves files that nothing needs; the next prune removes them. What a kept snapshot needs is
replaced by a file with the same content, in one commit.
"""
