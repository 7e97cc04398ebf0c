"""
Units on the workers of a Dask cluster.

- ``coordinator`` (the process of the job): checks the cluster, hands units to workers, and hears of
  workers that come and go;
- ``executor``: the coordinator as the third executor beside threads and processes;
- ``service``: what workers ask the coordinator for: tickets of the gate, and the session;
- ``relay`` (in Dask's scheduler): carries questions to the coordinator and answers back;
- ``far`` (in a worker): an org's client whose gate and session are the coordinator's;
- ``fitness``: whether a worker can do the work at all; ``sealing``: the session on its way.

Words: the *coordinator* is the process that runs the job and alone commits; a *worker* is a process
of the cluster that runs units.

Promises: workers write parts and commit nothing, so one that dies loses nothing and its unit runs
again (P2). Each call of each worker has a ticket from the coordinator's gate (P1), whatever database
that has; a worker that cannot ask sends nothing. The session is sealed for the worker that asked, and
is in no task, key, log, file or memory of the scheduler (P7).
"""
