"""
Everything that can go wrong, sorted by what the catcher does about it.

::

    SfnbError
    ├── CallerError        change the request: a wrong name, number or combination of options
    ├── TransientError     the same call may work soon; ``org/retry.py`` repeats it
    │   └── OrgUnavailable     nobody answers for the org: any other call would fail too
    ├── AnswerLost         a call that writes may have been carried out: look before sending again
    ├── RecordError        one record was refused; it is counted and kept
    └── JobError           this job, object or command cannot go on; what is sealed stays good
        ├── LoginError     the org did not let us in
        ├── ObjectError    one object cannot be read; the others can
        │   └── ResultsGone    a Bulk job's results or a query cursor are gone: start again
        ├── NotAllowed     whoever acts is no operator or admin of this state
        ├── LeaseLost      another process runs this job now; this one writes nothing more
        └── StoreError     the store is damaged, unwritable or full
            └── StateUnavailable   the state database does not answer: a job waits for it
                └── PausedForState     … or does not wait, and can be resumed

    QuotaSignal, StopSignal    no errors: a job pauses or stops at a bookmark, in ``jobs/loop.py``

A message says what happened, where, and what to do next, in one sentence or two, and never holds a
secret.
"""

from __future__ import annotations

from typing import Any


class SfnbError(Exception):
    """Anything sfnb tells its user about; the text is fit to be shown as it is."""


class CallerError(SfnbError):
    """The request itself is wrong; asking again changes nothing. Exit code 2."""


class TransientError(SfnbError):
    """
    The same call may work soon: 503, a cut connection, HTML from the edge, a short rate limit.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OrgUnavailable(TransientError):
    """
    The org is away: refused or failing connections, no name in DNS, timeouts, maintenance (503),
    the edge's 420, 502,
    504 and web pages. It says nothing about the call that met it, so it is no object's failure.

    ``retry`` raises it too when all tries have met it; to wait for the org is up to the job.
    """


class AnswerLost(SfnbError):
    """
    A call that writes was sent and its answer did not come, or says nothing about what was done.
    Nobody repeats it: whoever sent it looks in the org for what it wrote first.
    """


class RecordError(SfnbError):
    """One record was refused by the org."""


class JobError(SfnbError):
    """This job cannot go on. What it has stored stays good. Exit code 1."""


class LoginError(JobError):
    """The org refused the credentials or the session, or could not be reached to ask."""


class ObjectError(JobError):
    """
    One object cannot be read: refused, forbidden, changed. ``code`` is Salesforce's errorCode, if
    it gave one.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class ResultsGone(ObjectError):
    """A Bulk job's results expired, or a query cursor died; the object is to be started again."""


class StoreError(JobError):
    """The store cannot be read or written: damage, no permission, a full disk."""

    may_resume = True
    """Whether the job can go on once somebody has mended that."""


class StateUnavailable(StoreError):
    """
    The state database is locked, gone, read-only or not answering. It may be back soon: a job that
    runs waits for it, and neither sends nor counts anything meanwhile.
    """


class PausedForState(StateUnavailable):
    """
    The state database went away in mid-run, and the job does not wait for it: it is paused,
    which it could not write down. What it has read is stored.
    """


class NotAllowed(JobError):
    """
    The role of whoever acts does not allow it; nothing was changed, and the audit log has the try.

    Args:
        deed: what was tried, see `sfnb.state.roles.NEEDS`.
        role: of whoever tried.
    """

    def __init__(
        self, message: str, *, deed: str = "", role: str = "", org: str = "", org_id: str = ""
    ) -> None:
        super().__init__(message)
        self.deed = deed
        self.role = role
        self.org = org
        self.org_id = org_id


class LeaseLost(JobError):
    """Another process has taken the job over. Who meets this stops and writes nothing more."""


class QuotaSignal(BaseException):
    """
    The gate would not send a call: the whole org's use has reached the threshold, or cannot be
    known.

    A ``BaseException``, so that no ``except Exception`` in a foreign library can swallow it.

    Args:
        api: the budget that is used up (``api``, ``bulk``, ``bulk2``, ``bulk2_mb``).
        used: what the org reported; -1 when unknown.
        in_flight: what is reserved by calls in flight, in every process.
        maximum: the org's allocation in 24 hours; -1 when unknown.
        threshold: where jobs stop, in the budget's unit; -1 when unknown.
        reason: one sentence for people.
        own: what sfnb spent lately, which ``used`` may not include yet.
        retry_after_s: when asking the org again is worth a call, because only ``own`` stands in the way; None: at the
            usual interval.
    """

    def __init__(
        self,
        api: str,
        *,
        used: int,
        in_flight: int,
        maximum: int,
        threshold: int,
        reason: str,
        own: int = 0,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.api = api
        self.used = used
        self.in_flight = in_flight
        self.maximum = maximum
        self.threshold = threshold
        self.reason = reason
        self.own = own
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception pickles as its class and its args, and these args are options by keyword.
        return _signal_of, (type(self), dict(vars(self)))


class LimitsMissing(QuotaSignal):
    """
    What is used cannot be known, because the org has no ``/limits`` in the API version in use.
    """


class StopSignal(BaseException):
    """A person asked the job to pause or to end; ``wanted`` is ``pause`` or ``cancel``."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"asked to {wanted}")
        self.wanted = wanted

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.wanted,)


def _signal_of(kind: type[QuotaSignal], options: dict[str, Any]) -> QuotaSignal:
    return kind(**options)
