"""
SOQL as the demo org understands it.

Text becomes a tree (``parser``, ``grammar.lark``, ``tree``); the tree becomes SQL for DuckDB and a
plan of the records (``compile``, ``selecting``, ``names``, ``conditions``, ``plan``); rows become
JSON (``records``).

Every refusal has Salesforce's errorCode and, where Salesforce gives one, the frame that points at
the mistake (``frame``).
"""
