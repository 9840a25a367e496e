"""Which combinations of a grid are left out: the `only` and `skip` of experiment.toml, as conditions on names and columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from common.errors import InputError
from common.experiment.data.where import Where
from common.experiment.keys import Table

Keeps = Callable[[Sequence[str], object], bool]  # (row of the data, where it stands) → whether it is asked
_EXPECTED = "a condition such as \"model == 'gpt-4.1' and wording == 'plain'\", or a list of them"


class Rules:
    """`only` (all must hold) and `skip` (none may hold) over `names` of a combination and the columns of the data."""

    def __init__(self, only: Sequence[str], skip: Sequence[str], names: Sequence[str], columns: Sequence[str], fail: Callable) -> None:
        self._names, self._blank = names, ("",) * len(columns)
        both = (*names, *columns)
        self._rules = [(Where(one, both, partial(fail, "only")), True) for one in only]
        self._rules += [(Where(one, both, partial(fail, "skip")), False) for one in skip]
        self.used = {both[n] for rule, _ in self._rules for n in rule.uses}
        self.identity = [[kind, rule.identity] for rule, kind in self._rules]

    def of(self, known: dict[str, str]) -> Keeps | bool:
        """What the rules say of a combination: whether it is asked, or a test of each row where that depends on the data."""
        front = tuple(known.get(name, "") for name in self._names)
        by_row = []
        for rule, kind in self._rules:
            if max(rule.uses, default=0) >= len(front):
                by_row.append((rule, kind))
            elif rule.holds((*front, *self._blank), "") is not kind:
                return False
        if not by_row:
            return True
        return lambda row, where: all(rule.holds((*front, *row), where) is kind for rule, kind in by_row)


def read_rules(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`only` and `skip` as written."""
    return table.texts("only", _EXPECTED), table.texts("skip", _EXPECTED)


def none_left(path: object) -> InputError:
    """Nothing of the grid is asked."""
    return InputError(f"{path}: only and skip leave nothing to ask; look at how ids are written, and at --text, --persona and --limit")
