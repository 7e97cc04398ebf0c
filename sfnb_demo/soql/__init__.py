"""
SOQL as the demo org understands it: text (``parser``, ``grammar.lark``) to a tree (``tree``), the tree to SQL for
DuckDB and a plan of the records (``compile``, ``names``, ``conditions``, ``plan``), rows to JSON (``records``).

Every refusal carries Salesforce's errorCode and, where it has one, the frame that points at the mistake (``frame``).
"""
