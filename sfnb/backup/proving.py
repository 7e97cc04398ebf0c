"""
What an answer says of its rows against the rows it has (P9). Pure.

An object is complete only when the org's count agrees with what is stored, and the stored rows are
distinct. What is
compared with what, so that an org whose rows change meanwhile causes no false failure:

- one page: ``totalSize`` counts the rows of its query at that very moment, so a last page must hold
  all of them, and
  a page that is not the last must name the next one;
- keyset pages: each page's query counts what is left. When less is left than the page before had
  announced, rows
  have vanished, or a page was cut or jumped. Counting the rows in that page's range of Ids tells
  which: rows deleted
  meanwhile make the count smaller than what was read, never larger;
- a query cursor: its pages together must hold its ``totalSize``, or as many rows as the org counts
  now;
- a Bulk job: its results are made once, so the rows of all pages must be
  ``numberRecordsProcessed``.
"""

from __future__ import annotations

from sfnb.errors import TransientError
from sfnb.org.arrow import QueryPage
from sfnb.store.proof import Proof


def check_page(name: str, page: QueryPage) -> None:
    """
    Refuse a page that contradicts itself.

    Raises:
        TransientError: read it again. Salesforce has no such page; a proxy, a cache or a cut answer
            makes it.
    """
    rows = page.batch.num_rows
    if not page.is_done and not page.next_url:
        raise TransientError(f"{name}: a page announces more rows and does not say where.")
    if not page.is_done and not rows:
        raise TransientError(f"{name}: a page announces more rows and has none itself.")
    if page.total is not None and rows > page.total:
        raise TransientError(f"{name}: a page has {rows:,} rows; the org counts {page.total:,}.")


def check_last(name: str, rows: int, total: int | None) -> None:
    """
    Refuse a query that ended with fewer or more rows than the org counts for it.

    Raises:
        TransientError: read it again.
    """
    if total is not None and rows != total:
        raise TransientError(f"{name}: the org counts {total:,} rows and sent {rows:,}.")


def proof_notes(proof: Proof) -> tuple[str, ...]:
    """What is to be said of a complete object: what its completeness could not be proven by."""
    notes = []
    if proof.rows and proof.key is None:
        notes.append("Nothing tells its rows apart, so all of them are kept.")
    elif proof.rows and proof.key != "Id":
        notes.append(f"Its rows share Ids; {proof.key} tells them apart.")
    if proof.org_count is None:
        notes.append("The org gives no count of its rows.")
    return tuple(notes)
