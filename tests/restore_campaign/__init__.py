"""
The restore campaign: random schemas and record graphs are backed up, damaged and restored, and the
outcome is compared with what the demo org holds, not with what sfnb says.

``python -m tests.restore_campaign SEED`` replays one seed.
"""
