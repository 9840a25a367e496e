"""Rows of a data set that cannot be asked: without a usable id, or with nothing in any column that the prompts name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from common.experiment.data.reader import DataRow, bad_rows
from common.experiment.experiment import Experiment
from common.experiment.prompt import names_in

_KEPT = 1000  # rows that are remembered by name


class Askable:
    """An experiment without the rows that cannot be asked.

    They are found while the rows are read, so this costs no pass of its own: at the end of the first whole pass they are
    refused, all in one InputError, or with `skip_invalid` stand in `left_out` (row and why, the first 1,000) and `count`.
    """

    def __init__(self, experiment: Experiment, skip_invalid: bool) -> None:
        self._texts, self._skip = experiment.texts, skip_invalid
        self.left_out: list[tuple[str, str]] = []
        self.count = 0
        columns = self._texts.columns
        named = names_in(experiment.sources)
        used = [n for n, column in enumerate(columns) if column in named]
        self._used = [n for n in used if n != self._texts.id_column] or used
        self._clean = False  # every row can be asked, as a whole pass has shown
        self.experiment = replace(experiment, texts=replace(self._texts, rows=lambda: (self._texts.rows if self._clean else self._rows)()))

    def _rows(self) -> Iterator[DataRow]:
        bad: list[tuple[int, str]] = []
        count, id_column, used, only = 0, self._texts.id_column, self._used, self.experiment.only_texts
        self.count = 0
        for found in self._texts.rows():
            row = found[1]
            text_id = row[id_column]
            if not text_id or not text_id.isprintable() or text_id != text_id.strip():
                why = f"the text id is {text_id[:60]!r}; expected visible characters"
            elif used and _blank(row, used):
                why = f"nothing stands in {', '.join(self._texts.columns[n] for n in used[:5])}"
            else:
                yield found
                continue
            count += 1
            self.count += only is None or text_id in only
            if len(bad) < _KEPT:
                bad.append((found[0], why))
        if count and not self._skip:
            raise bad_rows(self._texts.source, "row", bad, count, " (--skip-invalid leaves them out)")
        self.left_out[:] = [(f"{self._texts.source.name}, row {where}", why) for where, why in bad]
        self._clean = not count


def _blank(row: Sequence[str], columns: Sequence[int]) -> bool:
    for n in columns:  # noqa: SIM110 (a generator takes three times as long)
        if row[n] and not row[n].isspace():
            return False
    return True
