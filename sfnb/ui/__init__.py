"""
The screen: widgets and what feeds them.

A job's threads never touch a widget. They put events into a queue; the bridge hands them to the
kernel's own loop in batches, and only there is anything drawn.
"""
