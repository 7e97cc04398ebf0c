"""
A backup: every object of an org, read by the cheapest reader that the object allows.

Words: a **reader** is a way to read one object (keyset, bulk2, by_parent, locator). A **unit** is
one call of a
reader, a frozen value that any process can run; its **outcome** is what the call brought: parts
already written,
and how to go on. An **object run** is one object on its way.

Modules, from the ground up: ``plan`` (pure: which reader, at what price), ``units`` (units and
outcomes),
``object_run``, ``discovery`` (asks the org what there is), ``unit_context`` and ``fetch`` (what a
unit does),
``worker`` (what a thread or process makes once to run units), ``readers`` (which unit comes next,
and what an
outcome means), ``scheduler`` (slots and the queue of ready units), ``work`` (the FACE: a backup as
a kind of work).

Promise (P2): only the deciding thread commits, rows and cursor in one commit. So an interrupt
leaves at worst parts
that no commit names, and a new scheduler over the same snapshot continues from the last commit.
"""
