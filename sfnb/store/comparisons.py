"""What is read of an org only to be compared with what is stored: sweeps of Ids, samples of records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sfnb.errors import CallerError
from sfnb.store.objects import ObjectWriter
from sfnb.store.part_writer import PartTarget
from sfnb.store.parts import Part
from sfnb.store.schema import ObjectColumns
from sfnb.store.settling.samples import Drift
from sfnb.store.settling.sweeps import IdDifference


class Comparisons:
    """
    Those of one snapshot. What they read is never part of a table, and gone with the seal.

    Args:
        object_of: the object's half of writing the snapshot.
        base_schema: the columns of the object's base; None: it has none.
    """

    def __init__(
        self,
        object_of: Callable[[str], ObjectWriter],
        base_schema: Callable[[str], ObjectColumns | None],
    ) -> None:
        self._object = object_of
        self._base_schema = base_schema

    def sweep_target(self, object_name: str) -> PartTarget:
        """
        Where workers put what a sweep reads: Id, SystemModstamp and IsDeleted, as far as the object
        has them.
        """
        return self._object(object_name).sweep_target()

    def sample_target(self, object_name: str) -> PartTarget:
        """
        Where workers put a sample of an object's records, in the columns of its base.

        Raises:
            CallerError: nothing of the object is complete.
        """
        return self._object(object_name).sample_target(self._sampled(object_name))

    def an_id(self, object_name: str, seed: int) -> str:
        """Some Id of the base, other ones for other seeds; empty: it has none."""
        return self._object(object_name).an_id(seed)

    def compare_sample(self, object_name: str, parts: Sequence[Part]) -> Drift:
        """
        The records of a sample against their state now. Those whose stamp is another one are passed
        over: a reading of changes brings them.

        Cost: no calls; reads the Ids of the state.
        """
        return self._object(object_name).compare_sample(self._sampled(object_name), parts)

    def _sampled(self, object_name: str) -> ObjectColumns:
        base = self._base_schema(object_name)
        if base is None:
            raise CallerError(f"{object_name}: no snapshot has it complete. Read it in full.")
        return base

    def compare_ids(self, object_name: str, sweep_parts: Sequence[Part]) -> IdDifference:
        """
        The Ids that the org has against those of the state now, with what this snapshot has
        committed. Decides nothing.

        Args:
            sweep_parts: those in ``sweep_target``; or of a refresh that has SystemModstamp and
                IsDeleted, those of its last step.

        Cost: no calls; reads the Ids, stamps and marks of both.
        """
        return self._object(object_name).compare_ids(sweep_parts)
