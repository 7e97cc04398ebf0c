"""One thing that runs by itself on an object, and how the Tooling API names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sfnb.restore.plan import Automation

Kind = Literal[
    "trigger", "validation_rule", "flow", "workflow_rule", "duplicate_rule", "assignment_rule"
]
"""``flow`` has processes of the Process Builder, too, since they are switched alike."""

TOOLING: Mapping[str, str] = {
    "trigger": "ApexTrigger",
    "validation_rule": "ValidationRule",
    "flow": "FlowDefinition",
}
"""
What is switched, with the object that stands for it in the Tooling API. Duplicate and assignment
rules heed a header of each call instead; a workflow rule cannot be switched without its actions.
"""


@dataclass(frozen=True, slots=True)
class Item:
    """
    Args:
        id: of the record of the Tooling API (of a flow, its FlowDefinition).
        namespace: of the package that brought it; empty: the org's own.
    """

    kind: Kind
    object_name: str
    name: str
    id: str
    is_active: bool
    namespace: str = ""

    @property
    def shown(self) -> str:
        """For messages."""
        return f"{self.kind.replace('_', ' ')} {self.name} on {self.object_name}"

    def as_plan(self) -> Automation:
        return Automation(self.kind, self.object_name, self.name, self.is_active)
