"""Owns a run of several families on disk whose batches end one after another, without a journal, and what its table must be."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import orjson

from common.nouns import Question, Result, Run, Shard, State
from common.providers.openai_rows import decode
from common.results.merge import run_rows
from common.results.origin import RunOrigin
from common.results.tables import write_csv
from common.results.tally import Tally
from common.results.texts import TextFolder
from common.runs.derive import with_texts, write_rows

ANSWERS = ("Joy (value): 7\nJoy (reason): a, b", "Joy (value): -0\nJoy (reason): x", 'no "number"', "=1+1", "嬉しさ\r\nJoy (value): 0", "")
EVENTS = ("submit", "collect", "owe", "refuse", "take", "note")
JOY = Question("Q1", "Joy", -1.0, 10.0)


class Grown:
    """`families` first shards of `size` requests each; `marked`: ids are sent with marks."""

    def __init__(self, folder: Path, families: int, size: int, marked: bool = False, alike: bool = False, seed: int = 0) -> None:
        self.chance = random.Random(seed)
        planned, where = families * size, folder / "openai/r"
        self.run = Run("openai/r", "r", "d", "openai", "openai", "local", "e", "", where, 1.0, ("m",), planned=planned)
        (self.run.folder / "shards").mkdir(parents=True)
        (self.run.folder.parent / "batch_results").mkdir()
        self.set_questions(JOY, alike=alike)
        names = [f"p1_gpt-4.1_n{n // 2 if alike else n:02d}_{'tT'[alike and n % 2]}" for n in range(families * size)]
        mine = [names[n * size : (n + 1) * size] for n in range(families)]
        self.shards = {n: self._shard(n, n, of, marked) for n, of in enumerate(mine, 1)}
        self.decoded: Counter[int] = Counter()  # lines read, by family
        self.family = {name: n for n, of in enumerate(mine, 1) for name in of}

    def set_questions(self, *questions: Question, alike: bool = False) -> None:
        """Score by these from now on."""
        found = {"experiment": "e", "personas": {"1": "a reader"}, "models": {"gpt-4.1": "gpt-4.1"}, "texts": {"t": "A title"}}
        more = {"questions": [asdict(one) for one in questions], "ids_differ_in_case_only": alike}
        (self.run.folder / "run.json").write_bytes(orjson.dumps({**found, **more}))

    def _shard(self, n: int, root: int, names: list[str], marked: bool, attempt: int = 1) -> Shard:
        mark = f"{n:08x}" if marked else ""
        path = self.run.folder / f"shards/shard-{n:05d}.jsonl"
        lines = [f"{name}-{mark}\t{name}\t0.7\t9\t0.1\n" if mark else f"{name}\t\t0.7\t9\t0.1\n" for name in names]
        path.with_suffix(".ids").write_text("".join(lines), encoding="utf-8")
        return Shard(self.run.key, n, root, attempt, path, f"sha{n}", len(names), 1, 1, 0.1, "gpt-4.1", 64, f"tag{n}", mark)

    def event(self, kind: str, root: int) -> None:
        """Something happens to a family, where it can."""
        shard = self.shards[max(n for n, shard in self.shards.items() if shard.root == root)]
        changes: dict = {}
        if kind == "submit" and shard.state is State.PLANNED:
            changes = {"state": State.SUBMITTED, "batch_id": f"b{shard.n}"}
        elif kind in ("collect", "owe", "take") and shard.state in (State.SUBMITTED, State.PLANNED, State.OWED):
            changes = self._answered(shard, kind)
        elif kind == "refuse" and shard.state is State.SUBMITTED:
            changes = {"state": State.REFUSED}
        elif kind == "note":
            changes = {"note": f"note {self.chance.random()}"}
        self.shards[shard.n] = replace(shard, **changes)

    def _answered(self, shard: Shard, kind: str) -> dict:
        batch_id, failed = f"b{shard.n}", []
        with open(self.run.folder.parent / f"batch_results/{batch_id}_output.jsonl", "wb") as file:
            for line in shard.path.with_suffix(".ids").read_text("utf-8").splitlines():
                sent = line.split("\t")[0]
                name = sent.removesuffix(f"-{shard.mark}")
                answer = self.chance.choice(["fails", "absent", *ANSWERS])
                failed += [name] if answer in ("fails", "absent") else []
                if answer != "absent":
                    file.write(self._line(sent, answer))
        if kind == "owe":
            return {"state": State.OWED, "batch_id": batch_id, "note": "late"}
        if failed and self.chance.random() < 0.7 and kind == "collect":
            n = max(self.shards) + 1
            self.shards[n] = self._shard(n, shard.root, failed, bool(shard.mark), shard.attempt + 1)
        more = {"taken_from": "openai/other"} if kind == "take" else {"absent": self.chance.choice(("missing", "expired"))}
        return {"state": State.COLLECTED, "batch_id": batch_id, "collected_at": self.chance.random() * 1e9, **more}

    def _line(self, sent: str, answer: str) -> bytes:
        if answer == "fails":
            found = {"custom_id": sent, "response": None, "error": {"code": "server_error", "message": "try\x1b later"}}
        else:
            choice = {"message": {"content": answer}, "finish_reason": self.chance.choice(("stop", "length"))}
            usage = {"prompt_tokens": 9, "completion_tokens": self.chance.randint(1, 99)}
            body = {"model": f"gpt-4.1-{self.chance.randint(1, 3)}", "choices": [choice], "created": 1_760_000_000, "usage": usage}
            found = {"custom_id": sent, "response": {"status_code": 200, "body": body}, "error": None}
        return orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)

    # ---- the table

    def decode(self, line: dict) -> Result:
        """As the provider does it, counted."""
        name = line["custom_id"]
        self.decoded[self.family[name if name in self.family else name[:-9]]] += 1
        return decode(line)

    def derive(self, texts: bool = False, decoding: Callable[[dict], Result] | None = None) -> Tally:
        """What the product makes; `decoded` counts what it read for that."""
        self.decoded.clear()
        return write_rows(self.run, [*self.shards.values()], decoding or self.decode, texts)

    def whole(self, texts: bool = False) -> tuple[bytes, dict]:
        """The table as it is when it is made in one go, and its tally; its text files go to `whole/`."""
        tally, origin, path = Tally(self.run.planned), RunOrigin(self.run), self.run.folder / "whole.csv"
        rows = tally.counting(run_rows(self.run, [*self.shards.values()], decode))
        if texts:
            rows = with_texts(rows, TextFolder(self.run.folder / "whole", origin.model, origin.ids_differ_in_case_only))
        write_csv(rows, path, origin)
        return path.read_bytes(), tally.as_dict()

    @property
    def table(self) -> bytes:
        """The table as it is on disk."""
        return (self.run.folder / "results.csv").read_bytes()

    def files(self, folder: str) -> dict[str, bytes]:
        """The text files in `texts` or `whole`."""
        return {path.name: path.read_bytes() for path in (self.run.folder / folder).iterdir()}
