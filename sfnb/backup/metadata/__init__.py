"""
The org's metadata in a backup: on a schedule of its own, in as few retrieves as the limits allow.

``package`` has what to ask for and how to cut it (pure); ``listing`` asks the org what there is;
``retrieving`` brings one package; ``reading`` goes through all of it.
"""
