"""
How much of an org's API allowance sfnb may use, and the gate that keeps it so.

``policy`` decides (pure functions of values); ``gate`` is what every HTTP call passes. What the
gate knows lies in the state database (``sfnb.state.ledger``), so that all threads, processes and
hosts that share it keep one promise (P1): a call is sent only if *used as last told by the org +
calls in flight + this call ≤ threshold*, for every budget.

A process killed between asking and settling leaves its ticket behind. The next one that asks finds
the owner gone and counts the ticket's price as spent, because the call may have been sent.
"""
