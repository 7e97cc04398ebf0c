"""
``/control/writes``: what keeps records from being written, and what an admin has set up.

Any of ``{"lock": {"001…": n}, "most_rows": {"Contact": n}, "free_rows": n|null,
"job_stops_after": n, "audit_fields": true, "rules": {"Same_lead": false}}``:

- ``lock``: the next n writes of this record or of its children find it locked;
- ``most_rows``: automation of the object fails for more records at a time;
- ``free_rows``: the org has room for so many more records;
- ``job_stops_after``: the next Bulk 2.0 job fails after so many rows, the rest stays unprocessed;
- ``audit_fields``: "Set Audit Fields upon Record Creation" is on;
- ``rules``: validation rules, duplicate rules, flows and assignment rules, on or off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfnb_demo.server.wire import Request

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

_KEYS = ("lock", "most_rows", "free_rows", "job_stops_after", "audit_fields", "rules")


def writes(org: DemoOrg, request: Request) -> dict[str, Any]:
    """Set what was given, and show how all of it stands."""
    given = request.json_object() if request.method == "POST" else {}
    if unknown := sorted(set(given) - set(_KEYS)):
        raise ValueError(f"unknown: {', '.join(unknown)}; known are {', '.join(_KEYS)}")
    saver = org.database.saver
    names = saver.rules.all
    if missing := sorted(set(given.get("rules") or {}) - set(names)):
        raise ValueError(f"there is no rule {', '.join(missing)}")
    hindrances = saver.hindrances
    hindrances.locked |= {str(i): int(n) for i, n in dict(given.get("lock") or {}).items()}
    hindrances.most_rows |= {str(o): int(n) for o, n in dict(given.get("most_rows") or {}).items()}
    for name in ("free_rows", "job_stops_after"):
        if name in given:
            setattr(hindrances, name, None if given[name] is None else int(given[name]))
    if "audit_fields" in given:
        saver.intake.has_audit_fields = bool(given["audit_fields"])
        for name in org.database.object_names():
            org.database.schema_dates.touch(name)
    for name, is_active in dict(given.get("rules") or {}).items():
        saver.rules.switch(name, is_active=bool(is_active))
    return {
        "lock": hindrances.locked,
        "most_rows": hindrances.most_rows,
        "free_rows": hindrances.free_rows,
        "job_stops_after": hindrances.job_stops_after,
        "audit_fields": saver.intake.has_audit_fields,
        "rules": {
            rule.name: {"kind": rule.kind, "object": rule.object, "active": rule.is_active}
            for rule in names.values()
        },
    }
