"""
Usage in the state database: what the orgs reported, what sfnb spent, and who else made calls.

``values`` are what the rows mean; ``spending`` holds readings and sfnb's own calls, ``event_log``
the orgs' event log files, ``user_days`` their usage reports; ``retention`` keeps old rows coarsely.

These modules need neither numpy nor an org, so ``org/`` can return their values.
"""
