"""
Python loads this by itself when the folder is in PYTHONPATH: requests to ``https://….salesforce.com``, and to the demo
org over https, go to BENCHMARK_ORG_URL instead. It is for clients that know no other address; their code is unchanged.
"""

import os
import re

_org = os.environ.get("BENCHMARK_ORG_URL", "").rstrip("/")

if _org:
    try:
        from requests.adapters import HTTPAdapter
    except ImportError:  # an environment without requests has nothing to lead elsewhere
        pass
    else:
        _host = re.escape(_org.partition("://")[2])
        _salesforce = re.compile(
            rf"^https://(?:[\w.-]+\.salesforce\.com(?::\d+)?|{_host})(?=[/?]|$)", re.IGNORECASE
        )
        _send = HTTPAdapter.send

        def _redirected(self, request, *args, **options):
            request.url = _salesforce.sub(_org, request.url)
            return _send(self, request, *args, **options)

        HTTPAdapter.send = _redirected
