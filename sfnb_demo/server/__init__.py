"""
The demo org's HTTP half: a real server that speaks Salesforce's wire formats and counts calls by
Salesforce's rules.

``server`` composes: ``org`` holds the state and knows no route; ``exchange`` routes, charges,
answers and logs each call; ``listener`` and ``sending`` do HTTP. The other modules are the routes
and what they share.

``DemoServer`` runs an org in this process; ``python -m sfnb_demo serve`` runs one in a process of
its own. Nothing here imports sfnb: the demo org is an independent witness of what Salesforce does.
An interrupt leaves the work folder behind; nobody needs its content.
"""
