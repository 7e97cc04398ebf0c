"""
One Salesforce org over HTTP: logging in, describing, querying, and what its answers mean.

Nothing here sends a call around the gate: ``transport.GateAdapter`` is mounted in the one session
that both our own functions and ``simple_salesforce`` use. Nothing here believes an answer: each is
read within bounds (``bodies``), stays at the org (``http``) and is taken apart with care
(``answers``). From the bottom up:

- pure: ``ids``, ``answers``, ``prices`` (what a call draws on), ``limits`` (the org's budgets),
  ``refusals`` (what an answer means), ``secrets`` and ``credentials``;
- ``login`` opens a ``session``; ``bodies``, ``transport`` and ``http`` price a call, ask the gate,
  send, read and settle; ``retry`` tries again, outside of the gate;
- ``client`` puts them together: ``OrgClient.request`` is one try, all ``fetch_…`` functions try
  again; ``opening`` makes a client of a registered org;
- the calls: ``describe``, ``composite``, ``bulk2``, ``events``, ``reports``, ``check``; ``arrow``
  turns rows into batches.

An interrupt leaves nothing behind but, at worst, a ticket, which the gate counts as spent, and a
Bulk job, which the org forgets after seven days.
"""
