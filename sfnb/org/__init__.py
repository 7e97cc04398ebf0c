"""
One Salesforce org over HTTP: logging in, describing, querying, and what its answers mean.

Nothing here sends a call around the gate: ``transport.GateAdapter`` is mounted in the one ``requests`` session that
both our own functions and ``simple_salesforce`` use. From the bottom up:

- pure: ``ids``, ``prices`` (what a call draws on), ``limits`` (what the org tells of its budgets), ``refusals`` (what
  an answer means), ``secrets`` and ``credentials``;
- ``login`` opens a session; ``transport`` prices, asks, sends and settles; ``retry`` tries again, outside of the gate;
- ``client`` puts them together: ``OrgClient.request`` is one try; all ``fetch_…`` functions try again;
- the readers: ``describe``, ``rest``, ``composite``, ``bulk2``; ``arrow`` makes batches of what they bring.

An interrupt leaves nothing behind but, at worst, a ticket, which the next one that asks the gate counts as spent, and
a Bulk job, which the org forgets after seven days.
"""
