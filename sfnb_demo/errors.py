"""What the demo org answers when it refuses: Salesforce's own codes and words."""

from __future__ import annotations

from collections.abc import Sequence


class ApiError(Exception):
    """
    One entry of Salesforce's error array.

    Args:
        code: the ``errorCode``, such as ``MALFORMED_QUERY``.
        message: Salesforce's sentence.
        status: the HTTP status.
        fields: the fields it is about.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, fields: Sequence[str] = ()
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = list(fields)

    def __reduce__(self) -> tuple[type[ApiError], tuple[str, str, int, list[str]]]:
        return ApiError, (self.code, self.message, self.status, self.fields)
