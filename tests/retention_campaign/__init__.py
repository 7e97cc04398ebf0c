"""
The retention campaign: prunes and erasures by `sfnb`, whose process is ended by the operating system
at any step or moment, begun again, with holds that come meanwhile.

``python -m tests.retention_campaign SEED KILLS PLACE`` replays a seed with so many kills of prunes and
as many of erasures. PLACE: ``folder``, ``sealed`` (encrypted), ``bucket`` or ``sealed-bucket``.
"""
