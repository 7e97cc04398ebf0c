"""What a caller learns when a reading has been settled."""

from __future__ import annotations

from dataclasses import dataclass

from sfnb.store.held import Held
from sfnb.store.progress import Progress
from sfnb.store.proof import Proof


@dataclass(frozen=True, slots=True)
class Settled:
    """
    The end of an object's reading.

    Args:
        progress: afterwards; as before when the proof has a problem, for then nothing was
            committed.
        added: records that are alive and were not before: new, or out of the recycle bin.
        changed: records that have another content.
        deleted: records that are not alive any more: in the recycle bin, or gone.
        equal: rows read whose content was stored already.
        proof: of the object's state at this snapshot; look at ``Proof.problem``.
        ids_match: whether the state's Ids are those of the sweep; None: they were not compared.
        refreshed: those of ``changed`` that have other values in refreshed columns alone.
    """

    progress: Progress
    added: int
    changed: int
    deleted: int
    equal: int
    proof: Proof
    ids_match: bool | None = None
    refreshed: int = 0

    @classmethod
    def of(cls, progress: Progress, proof: Proof, held: Held | None, refreshed: int = 0) -> Settled:
        if held is None:
            return cls(progress, progress.rows, 0, 0, 0, proof)
        return cls(
            progress,
            held.added,
            held.changed,
            held.ended,
            held.equal,
            proof,
            held.ids_match,
            refreshed,
        )
