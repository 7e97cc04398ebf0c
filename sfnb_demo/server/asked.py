"""
What one call asks for: its object, its SOQL, the fields it selects. Fault rules choose calls by
these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from sfnb_demo.errors import ApiError
from sfnb_demo.soql import tree
from sfnb_demo.soql.parser import parse

_SOBJECT = re.compile(r"/sobjects/([^/?]+)", re.IGNORECASE)
_QUERY_JOB = re.compile(r"/jobs/query/([^/?]+)", re.IGNORECASE)
_FROM = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)


class Asked:
    """
    A call as fault rules see it; the costly parts are worked out when a rule looks at them.

    Args:
        job_object: the object of a Bulk 2.0 query job, by its Id; empty if there is no such job.
    """

    def __init__(
        self,
        method: str,
        target: str,
        body: bytes,
        *,
        job_object: Callable[[str], str] = lambda _job_id: "",
    ) -> None:
        self.text = f"{method} {target}"
        self.target = target
        self.body = body
        self._job_object = job_object

    @cached_property
    def soql(self) -> str:
        """The query text: ``q`` of a REST query, the body of a Bulk job or batch. Empty if none."""
        params = dict(parse_qsl(self.target.partition("?")[2]))
        given = params.get("q") or params.get("explain")
        if given:
            return given
        text = self.body.decode("utf-8", "replace").strip()
        if text[:6].lower() == "select":
            return text
        if "/jobs/query" not in self.target:
            return ""
        try:
            value = json.loads(self.body or b"null")
        except ValueError:
            return ""
        return str(value.get("query") or "") if isinstance(value, dict) else ""

    @cached_property
    def object_name(self) -> str:
        """The object in the spelling of the call; empty if the call is about none."""
        if self.soql:
            # The last FROM is the outer one unless a semi-join follows: then the parsed tree knows.
            names = _FROM.findall(self.soql)
            return self._query.object if self._query else (names[-1] if names else "")
        path = unquote(self.target.partition("?")[0])
        if found := _SOBJECT.search(path):
            return found[1]
        job = _QUERY_JOB.search(path)
        return self._job_object(job[1]) if job else ""

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """
        The fields of the SELECT list, as written: ``Name``, ``Owner.Name``. Subqueries are left
        out.
        """
        if self._query is None:
            return ()
        return tuple(
            str(item.what) for item in self._query.items if isinstance(item.what, tree.Path)
        )

    @cached_property
    def _query(self) -> tree.Query | None:
        try:
            return parse(self.soql)
        except ApiError:  # the query is wrong: its own answer says so
            return None
