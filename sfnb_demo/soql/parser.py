"""Parses SOQL text to a tree."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken
from lark.exceptions import VisitError

from sfnb_demo.errors import ApiError
from sfnb_demo.soql import tree
from sfnb_demo.soql.frame import malformed

MAX_CHARS = 100_000
MAX_STRING_CHARS = 4_000

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_EMPTY = "SOQL statements cannot be empty or null"


@lru_cache(maxsize=1)
def _lark() -> Lark:
    text = resources.files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        text, parser="lalr", lexer="contextual", propagate_positions=True, maybe_placeholders=True
    )


@lru_cache(maxsize=512)
def parse(text: str) -> tree.Query:
    """
    The tree of a statement.

    Raises:
        ApiError: MALFORMED_QUERY with the frame that shows where.
    """
    if not text.strip():
        raise ApiError("MALFORMED_QUERY", _EMPTY)
    if len(text) > MAX_CHARS:
        raise ApiError(
            "MALFORMED_QUERY", f"SOQL statements cannot be longer than {MAX_CHARS} characters."
        )
    try:
        parsed = _lark().parse(text)
        return cast(tree.Query, _Builder(text).transform(parsed))
    except UnexpectedToken as err:
        is_end = err.token.type == "$END"
        at = len(text.rstrip()) if is_end else (err.token.start_pos or 0)
        raise malformed(
            text, at, f"unexpected token: '{'<EOF>' if is_end else err.token}'"
        ) from err
    except UnexpectedCharacters as err:
        at = err.pos_in_stream or 0
        word = re.match(r"\w+|.", text[at:], re.DOTALL)
        raise malformed(text, at, f"unexpected token: '{word[0] if word else ''}'") from err
    except VisitError as err:
        if isinstance(err.orig_exc, ApiError):
            raise err.orig_exc from err
        raise


def unescape(quoted: str) -> str:
    """The characters of a quoted string; LIKE's own escapes stay."""

    def one(match: re.Match[str]) -> str:
        ch = match[1]
        return match[0] if ch in "%_" else _ESCAPES.get(ch, ch)

    return re.sub(r"\\(.)", one, quoted[1:-1], flags=re.DOTALL)


class _Builder(Transformer[Token, Any]):
    """Turns Lark's tree into ours; each method is one rule of the grammar."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def start(self, parts: list[Any]) -> tree.Query:
        return cast(tree.Query, parts[0])

    def query(self, parts: list[Any]) -> tree.Query:
        items, name, *clauses = parts
        found = dict(c for c in clauses if c is not None)
        return tree.Query(
            items=items, object=str(name), text=self.text, object_at=_at(name), **found
        )

    def items(self, parts: list[Any]) -> tuple[tree.Item, ...]:
        return tuple(parts)

    def field(self, parts: list[Any]) -> tree.Item:
        return tree.Item(parts[0], alias=_alias(parts), at=parts[0].at)

    called = field

    def subquery(self, parts: list[Any]) -> Any:
        return parts[0]

    def nested(self, parts: list[Any]) -> tree.Item:
        return tree.Item(parts[0], at=parts[0].object_at)

    def typeof(self, parts: list[Token]) -> tree.Item:
        return tree.Item(None, at=_at(parts[0]))

    def alias(self, parts: list[Token]) -> tuple[str, str]:
        return "alias", str(parts[0])

    def path(self, parts: list[Token]) -> tree.Path:
        return tree.Path(tuple(str(p) for p in parts), at=_at(parts[0]))

    def call(self, parts: list[Any]) -> tree.Call:
        return tree.Call(str(parts[0]).upper(), parts[1], at=_at(parts[0]))

    def viewing(self, parts: list[Token]) -> None:
        """
        ``FOR VIEW`` and ``FOR REFERENCE`` change the recently viewed list, which the demo org does
        not keep.
        """

    def scope(self, parts: list[Token]) -> None:
        """``USING SCOPE`` is accepted and ignored."""

    def where(self, parts: list[Any]) -> tuple[str, tree.Expression]:
        return "where", parts[0]

    def having(self, parts: list[Any]) -> tuple[str, tree.Expression]:
        return "having", parts[0]

    def group(self, parts: list[Any]) -> tuple[str, tuple[tree.Operand, ...]]:
        return "group_by", tuple(parts)

    def order(self, parts: list[Any]) -> tuple[str, tuple[tree.Ordering, ...]]:
        return "order_by", tuple(parts)

    def ordering(self, parts: list[Any]) -> tree.Ordering:
        operand, *rest = [p for p in parts if p is not None]
        is_descending = any(str(p).upper() == "DESC" for p in rest if isinstance(p, Token))
        nulls = next((p for p in rest if isinstance(p, bool)), not is_descending)
        return tree.Ordering(operand, is_descending=is_descending, has_nulls_first=nulls)

    def nulls(self, parts: list[Token]) -> bool:
        return str(parts[0]).upper() == "FIRST"

    def limit(self, parts: list[Token]) -> tuple[str, int]:
        return "limit", self._whole(parts[0])

    def offset(self, parts: list[Token]) -> tuple[str, int]:
        return "offset", self._whole(parts[0])

    def all_rows(self, _parts: list[Any]) -> tuple[str, bool]:
        return "is_all_rows", True

    def all_of(self, parts: list[Any]) -> tree.Junction:
        return tree.Junction("AND", tuple(parts))

    def any_of(self, parts: list[Any]) -> tree.Junction:
        return tree.Junction("OR", tuple(parts))

    def negation(self, parts: list[Any]) -> tree.Negation:
        return tree.Negation(parts[0])

    def compare(self, parts: list[Any]) -> tree.Condition:
        op = "!=" if str(parts[1]) == "<>" else str(parts[1])
        return tree.Condition(parts[0], cast(Literal["="], op), parts[2])

    def like(self, parts: list[Any]) -> tree.Condition:
        return tree.Condition(parts[0], "LIKE", parts[1])

    def is_in(self, parts: list[Any]) -> tree.Condition:
        return tree.Condition(parts[0], "IN", parts[1])

    def not_in(self, parts: list[Any]) -> tree.Condition:
        return tree.Condition(parts[0], "NOT IN", parts[1])

    def includes(self, parts: list[Any]) -> tree.Condition:
        return tree.Condition(parts[0], "INCLUDES", parts[1])

    def excludes(self, parts: list[Any]) -> tree.Condition:
        return tree.Condition(parts[0], "EXCLUDES", parts[1])

    def values(self, parts: list[Any]) -> tuple[tree.Value, ...]:
        return tuple(parts)

    def string(self, parts: list[Token]) -> str:
        text = unescape(str(parts[0]))
        if len(text) > MAX_STRING_CHARS:
            raise malformed(
                self.text, _at(parts[0]), "string literal is longer than 4000 characters"
            )
        return text

    def datetime(self, parts: list[Token]) -> datetime:
        text = str(parts[0]).upper().replace("Z", "+00:00")
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError) as err:
            raise malformed(
                self.text,
                _at(parts[0]),
                f"line 1:{_at(parts[0])} no viable alternative at '{parts[0]}'",
            ) from err

    def date(self, parts: list[Token]) -> date:
        try:
            return date.fromisoformat(str(parts[0]))
        except ValueError as err:
            raise malformed(
                self.text,
                _at(parts[0]),
                f"line 1:{_at(parts[0])} no viable alternative at '{parts[0]}'",
            ) from err

    def number(self, parts: list[Token]) -> tree.Number:
        return tree.Number(str(parts[0]))

    def word(self, parts: list[Token]) -> tree.Value:
        name = str(parts[0]).upper()
        count = parts[1] if len(parts) > 1 else None
        if count is None and name in ("TRUE", "FALSE", "NULL"):
            return {"TRUE": True, "FALSE": False, "NULL": None}[name]
        return tree.Word(name, None if count is None else self._whole(count), at=_at(parts[0]))

    def _whole(self, token: Token) -> int:
        if not re.fullmatch(r"\+?\d+", token):
            raise malformed(self.text, _at(token), f"unexpected token: '{token}'")
        return int(token)


def _at(token: Token) -> int:
    return token.start_pos or 0


def _alias(parts: list[Any]) -> str | None:
    return next((p[1] for p in parts[1:] if isinstance(p, tuple)), None)
