"""
The frame in which Salesforce shows a mistake in a statement: the line, a caret, row and column.
"""

from __future__ import annotations

from sfnb_demo.errors import ApiError

_WIDTH = 120
_NAMES_HINT = (
    "If you are attempting to use a custom {what}, be sure to append the '__c' after the {which} name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)


def frame(text: str, at: int, message: str) -> str:
    """The message below the line and the caret."""
    row = text.count("\n", 0, at) + 1
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    column = at - start
    cut = max(0, column - _WIDTH // 2)
    return f"\n{line[cut : cut + _WIDTH]}\n{' ' * (column - cut)}^\nERROR at Row:{row}:Column:{column + 1}\n{message}"


def malformed(text: str, at: int, message: str) -> ApiError:
    return ApiError("MALFORMED_QUERY", frame(text, at, message))


def no_such_field(text: str, at: int, name: str, object_name: str) -> ApiError:
    hint = _NAMES_HINT.format(what="field", which="custom field")
    message = f"No such column '{name}' on entity '{object_name}'. {hint}"
    return ApiError("INVALID_FIELD", frame(text, at, message))


def no_such_relation(text: str, at: int, name: str, object_name: str) -> ApiError:
    message = (
        f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, "
        "be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe "
        "call for the appropriate names."
    )
    return ApiError("INVALID_FIELD", frame(text, at, message), fields=[object_name])


def no_such_object(text: str, at: int, name: str) -> ApiError:
    message = f"sObject type '{name}' is not supported. {_NAMES_HINT.format(what='object', which='entity')}"
    return ApiError("INVALID_TYPE", frame(text, at, message))


def invalid_field(text: str, at: int, message: str) -> ApiError:
    return ApiError("INVALID_FIELD", frame(text, at, message))
