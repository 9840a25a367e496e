"""`where = "lang == 'ja' and stars >= 3"`: a closed little language over columns; nothing of it is ever run as a program."""

from __future__ import annotations

import ast
import operator
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence

from common.errors import InputError
from common.experiment.data.reader import DataRow

_LONGEST = 10_000
_NUMBER = re.compile(r"\s*[+-]?(\d+|(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?)\s*", re.ASCII)
_ORDER = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
_SAME = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
_FLIPPED = {operator.lt: operator.gt, operator.le: operator.ge, operator.gt: operator.lt, operator.ge: operator.le}
_TAKEN = "==, !=, <, <=, >, >=, in (…), not in (…), and, or, not, parentheses, columns, 'texts' and numbers"

Test = Callable[[Sequence[str]], bool]
Literal = str | int | float


class _NotNumber(ValueError):
    """A cell that is compared with a number and is none."""


class Where:
    """A condition on rows. Raises InputError for whatever is not of its language, and for a column that is not there.

    `identity` is the same for conditions that differ in blanks and needless parentheses only.
    """

    def __init__(self, source: str, columns: Sequence[str], fail: Callable[[str], InputError]) -> None:
        self._columns, self._fail = columns, fail
        self.uses: set[int] = set()  # indices of the columns that it looks at
        tree = _parsed(source, fail)
        try:
            self.keeps = self._test(tree)
            self.identity = ast.unparse(tree)
        except RecursionError:
            raise fail("is nested too deeply") from None

    def narrow(self, rows: Iterator[DataRow]) -> Iterator[DataRow]:
        """The rows that are meant. Raises InputError for a cell that should be a number, and when no row is left."""
        count, kept = 0, 0
        for where, row in rows:
            count += 1
            if self.holds(row, where):
                kept += 1
                yield where, row
        if count and not kept:
            raise self._fail(f"leaves none of {count:,} rows; look at how the values are written")

    def holds(self, row: Sequence[str], where: object) -> bool:
        """Whether the condition holds. Raises InputError for a cell that should be a number; `where` names the row, "" = there is none."""
        try:
            return self.keeps(row)
        except _NotNumber as error:
            raise self._fail(f"in row {where} {error}" if where else str(error)) from None

    def _test(self, node: ast.expr) -> Test:
        if isinstance(node, ast.BoolOp):
            tests = [self._test(part) for part in node.values]
            quantity = all if isinstance(node.op, ast.And) else any
            return lambda row: quantity(test(row) for test in tests)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            test = self._test(node.operand)
            return lambda row: not test(row)
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            tests = [self._compare(*part) for part in zip(sides, node.ops, sides[1:])]
            return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)
        if isinstance(node, (ast.Name, ast.Constant)):
            raise self._fail(f"{ast.unparse(node)} alone says nothing; expected a comparison such as {ast.unparse(node)} == 'ja'")
        raise self._fail(f"does not know {_short(node)}; expected {_TAKEN}")

    def _compare(self, left: ast.expr, operation: ast.cmpop, right: ast.expr) -> Test:
        if isinstance(operation, (ast.In, ast.NotIn)):
            return self._member(left, right, isinstance(operation, ast.In))
        test = _ORDER.get(type(operation)) or _SAME.get(type(operation))
        if test is None:
            raise self._fail(f"does not know {_short(ast.Compare(left, [operation], [right]))}; expected {_TAKEN}")
        one, other = self._column(left), self._column(right)
        if one is None and other is None:
            self._literal(left)
            self._literal(right)
            raise self._fail(f"compares two values and no column in {_short(ast.Compare(left, [operation], [right]))}")
        if one is not None and other is not None:
            return lambda row: test(row[one], row[other])
        if one is None:
            one, right, test = other, left, _FLIPPED.get(test, test)
        return _against(one, self._columns[one], test, self._literal(right))

    def _member(self, left: ast.expr, right: ast.expr, inside: bool) -> Test:
        column = self._column(left)
        if column is None or not isinstance(right, (ast.Tuple, ast.List, ast.Set, ast.Constant)):
            raise self._fail("in: expected a column on its left and values in parentheses on its right")
        values = [self._literal(node) for node in ([right] if isinstance(right, ast.Constant) else right.elts)]
        texts = frozenset(value for value in values if isinstance(value, str))
        numbers = frozenset(value for value in values if not isinstance(value, str))
        return lambda row: ((cell := row[column]) in texts or bool(numbers) and _number(cell) in numbers) == inside

    def _column(self, node: ast.expr) -> int | None:
        """The column that is meant; None for a value. `column("two words")` names one that is no single word."""
        if isinstance(node, ast.Name):
            return self._found(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return self._found(f"{node.value.id}.{node.attr}")
        match node:
            case ast.Call(ast.Name("column"), [ast.Constant(str(name))], []):
                return self._found(name)
        return None

    def _found(self, name: str) -> int:
        alike = [n for n, column in enumerate(self._columns) if unicodedata.normalize("NFKC", column) == name]  # as Python reads names
        if name in self._columns or len(alike) == 1:
            at = self._columns.index(name) if name in self._columns else alike[0]
            self.uses.add(at)
            return at
        raise self._fail(f"no column {name!r}; there are {', '.join(c for c in self._columns if c)} (texts stand in quotes: 'ja')")

    def _literal(self, node: ast.expr) -> Literal:
        sign = 1
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            sign, node = (-1 if isinstance(node.op, ast.USub) else 1), node.operand
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                raise self._fail(f"does not know {_short(node)} with a sign")
        if isinstance(node, ast.Constant) and type(node.value) in (str, int, float):
            return node.value if isinstance(node.value, str) else sign * node.value
        hint = "; write it as the file does, in quotes" if isinstance(node, ast.Constant) else f"; expected {_TAKEN}"
        raise self._fail(f"does not know {_short(node)}{hint}")


def _parsed(source: str, fail: Callable[[str], InputError]) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if len(source) <= _LONGEST:
                return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        hint = " (one = is written ==)" if re.search(r"(?<![=!<>])=(?!=)", source) else ""
        raise fail(f"cannot be read{hint}; expected {_TAKEN}; a column of several words is column(\"its name\")") from None
    raise fail(f"is longer than {_LONGEST:,} characters")


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _number(cell: str) -> int | float | None:
    found = _NUMBER.fullmatch(cell)
    if found is None or len(cell) > 400:
        return None
    return float(cell) if found[2] and not found[1].isdigit() else int(cell)


def _against(column: int, name: str, test: Callable, value: Literal) -> Test:
    if isinstance(value, str):
        return lambda row: test(row[column], value)
    if test in (operator.eq, operator.ne):
        return lambda row: test(_number(row[column]), value)

    def ordered(row: Sequence[str]) -> bool:
        number = _number(cell := row[column])
        if number is not None:
            return test(number, value)
        if not cell.strip():
            return False  # a missing value is neither above nor below
        raise _NotNumber(f"{name} is {cell[:40]!r}, not a number; begin with {name} != {cell[:40]!r} and …")

    return ordered
