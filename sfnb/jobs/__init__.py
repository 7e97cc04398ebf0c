"""
The life of a job, whatever its work is: backup today, restore and archive later.

Modules: ``states`` (pure: which state may follow which), ``control`` (pause, resume, cancel, start
again: the one
place for handle, panel, command line and notebook), ``loop`` (lease, tick, pause, wait, stop,
fail), ``work`` (the
protocol that a kind of work fulfils), ``events`` and ``event_text``. Importing the package loads
nothing heavy.
"""
