"""What to do when the state database cannot be used, by what its driver says."""

from __future__ import annotations

from collections.abc import Mapping

HELD = "Another process has held it for over {patience_s:g} seconds; try again, or look for one that hangs."

ADVICE: Mapping[tuple[str, ...], str] = {
    ("locked", "lock timeout"): HELD,
    ("read-only transaction",): "The server takes no changes now; jobs wait until it does.",
    (
        "readonly",
        "unable to open",
        "permission",
    ): "Check that the file and its folder are yours to write, or choose another SFNB_HOME.",
    ("moved, deleted",): "Put it back where it was, or start sfnb again with another one.",
    ("full",): "Make room on the disk; nothing that was stored is lost.",
    ("malformed", "not a database"): (
        "Move the file away to start a new one; the store is not affected, limits have to be set again."
    ),
}
"""By words in what the driver says, the first that fits."""


def advice(cause: str, patience_s: float) -> str:
    """One sentence on what to do."""
    said = cause.lower()
    for words, sentence in ADVICE.items():
        if any(word in said for word in words):
            return sentence.format(patience_s=patience_s)
    return "Check state_url or SFNB_STATE_URL, and that the server answers."
