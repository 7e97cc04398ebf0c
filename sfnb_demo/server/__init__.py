"""
The demo org's HTTP half: a real server that speaks Salesforce's wire formats and counts calls by Salesforce's rules.

``DemoServer`` runs one; ``python -m sfnb_demo serve`` runs one as its own process. Nothing here imports the rest of
sfnb: the demo org is an independent witness of what Salesforce does. An interrupt leaves the work folder behind, whose
content nobody needs.
"""
