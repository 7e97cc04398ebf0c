"""
The dashboard: the screens of `sfnb.ui` in one page of our own, for people who never see Python.

A small tornado server (`server`) serves one page; each place in it has an address (`places`). The page
holds one WebSocket, over which its parts (`pages`, `parts`) show and hear what widgets do in a notebook.
No kernel runs. A backup that is started here runs in a process of its own (`processes`), so closing the
page, or ending the dashboard, leaves it running.

What is stored is shown without a call (`local_org`); the org is asked in the background.
"""
