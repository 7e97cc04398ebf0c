"""
What happens to the org while backups run: rows written by others, an admin at work, users who lose
permissions.

``rows`` changes the data, ``schema`` the objects and fields, ``access`` what users may see. All take
plain JSON from the control API. None of it costs a call.
"""
