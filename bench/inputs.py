"""Owns the inputs: experiments, data sets and raw output files, made from a fixed seed and the same on every machine."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path

import orjson

SENTENCES = (
    "駅前の時計は今日も七分だけ進んでいた。", "誰もそれを直そうとは思わなかった。", "雨のあとの石段には、小さな空がいくつも残っていた。",
    "彼女は手紙の封を切らず、机の引き出しにしまった。", "遠くで犬が一度だけ吠え、それきり静かになった。",
    "猫は窓辺で、昨日と同じ光を待っている。",
    "父の古い外套からは、まだ海の匂いがした。", "町はずれの橋を渡るとき、風が名前を呼んだ気がした。", "湯気の向こうで、祖母が笑っていた。",
    "最後の頁だけが、きれいに破り取られていた。",
)  # fmt: skip
PERSONAS = (("1", "大学1年生", 0.7), ("2", "文学研究者", 0.4), ("3", "感情豊かな詩人", 0.9), ("4", "感情を持たないロボット", 0.1))
QUESTIONS = (("Q1", "面白さ"), ("Q2", "驚き"), ("Q3", "悲しみ"), ("Q4", "怒り"))
PROMPT = """
[prompt]
system = "あなたは{persona.name}です。"
user = \"\"\"
%s
{text}
%s
\"\"\"
"""


def prose(characters: int, seed: int) -> str:
    """Japanese prose of exactly that many characters."""
    rng = random.Random(seed)
    parts, length = [], 0
    while length < characters:
        parts.append(rng.choice(SENTENCES))
        length += len(parts[-1])
    return "".join(parts)[:characters]


def _form() -> str:
    return "\n".join(f"{i}. {name}(数値): [0-100]\n{i}. {name}(理由): [理由]" for i, name in QUESTIONS)


def _toml(name: str, trials: int, personas: int, asks: bool) -> str:
    lines = [f'name = "{name}"', f"trials = {trials}", "max_tokens = 512"]
    lines.append(PROMPT % ("次の作品を読み、感じた強さを0から100で評価してください。", _form() if asks else "一語で答えてください。"))
    lines += [f'[[persona]]\nid = "{i}"\nname = "{n}"\ntemperature = {t}' for i, n, t in PERSONAS[:personas]]
    if asks:
        lines += [f'[[question]]\nid = "{i}"\nname = "{n}"\nmin = 0\nmax = 100' for i, n in QUESTIONS]
        lines.append('[answer]\nvalue = "数値"\nreason = "理由"')
    return "\n".join(lines) + "\n"


def study(folder: Path, characters: int = 1_200) -> Path:
    """An experiment of 4 personas × 3 texts; trials and limit come from the command line. Returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    toml = _toml("study", 10, 4, asks=True)
    for n in (1, 2, 3):
        (folder / f"t{n}.txt").write_text(prose(characters, n), encoding="utf-8")
        toml += f'[[text]]\nid = "t{n}"\ntitle = "作品{n}"\nfile = "t{n}.txt"\nmodifier = {(n - 2) / 20}\n'
    (folder / "experiment.toml").write_text(toml, encoding="utf-8")
    return folder


def data_set(folder: Path, rows: int, characters: int = 100) -> Path:
    """An experiment whose texts are the rows of a CSV file, one persona and one trial each. Returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    stock = [prose(characters, n) for n in range(997)]
    with open(folder / "rows.csv", "w", encoding="utf-8", newline="\n") as file:
        file.write("id,text\n")
        file.writelines(f"r{n:07d},{n}番。{stock[n % 997]}\n" for n in range(rows))
    toml = _toml("rows", 1, 1, asks=False) + '[data]\nfile = "rows.csv"\nid = "id"\n'
    (folder / "experiment.toml").write_text(toml, encoding="utf-8")
    return folder


MOODS = ("positive", "negative", "neutral")
TYPED = """
name = "typed"
trials = 1
max_tokens = 512
columns = ["lang", "stars"]
persona = [{id = "1", name = "a careful shopper", temperature = 0.6}]
prompt = {system = "You are {persona.name}.", user = "A review with {stars} stars, in {lang}:\\n{text}\\n\\n{questions}"}
data = {file = "rows.csv", id = "id"}
answer = {format = "%s"}
question = [
    {id = "Q1", name = "Mood", type = "choice", choices = ["positive", "negative", "neutral"], reason = true},
    {id = "Q2", name = "Stars", type = "integer", min = 1, max = 5, reason = false},
    {id = "Q3", name = "Anger", min = 0, max = 100},
    {id = "Q4", name = "Useful", type = "yes_no", reason = false},
]
"""


def typed_set(folder: Path, rows: int, form: str, characters: int = 100) -> Path:
    """The same with typed questions, answered as "json" or "text"; two of its columns stand in the results. Returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    stock = [prose(characters, n) for n in range(997)]
    with open(folder / "rows.csv", "w", encoding="utf-8", newline="\n") as file:
        file.write("id,text,lang,stars\n")
        file.writelines(f"r{n:07d},{n}番。{stock[n % 997]},{('ja', 'en')[n % 2]},{n % 5 + 1}\n" for n in range(rows))
    (folder / "experiment.toml").write_text(TYPED % form, encoding="utf-8")
    return folder


def _answer(rng: random.Random, longest: int) -> str:
    lines = []
    for i, name in QUESTIONS:
        reason = prose(rng.randrange(longest * 3 // 5, longest), rng.randrange(10_000))
        lines.append(f"{i}. {name}(数値): {rng.randrange(101)}\n{i}. {name}(理由): {reason}")
    return "\n".join(lines)


def _odd(answer: str) -> str:
    """An answer in a form that models slip into: no ids, bold names, full-width colons."""
    for i, name in QUESTIONS:
        answer = answer.replace(f"{i}. {name}(数値): ", f"**{name}**：").replace(f"{i}. {name}(理由): ", "理由：")
    return answer


def raw_output(path: Path, rows: int, odd: int = 20, longest: int = 100) -> Path:
    """An OpenAI batch output file, about 1,800 bytes a line; every `odd`th answer is in another form than asked for.

    `longest`: characters of a reason.
    """
    rng = random.Random(7)
    answers = [_answer(rng, longest) for _ in range(499)]
    encoded = [orjson.dumps(a) for a in answers]
    others = [orjson.dumps(_odd(a)) for a in answers]
    ids = (b'"p%d_gpt-4.1_n%02d_t%d"' % (n % 4 + 1, n // 12 + 1, n // 4 % 3 + 1) for n in range(rows))
    return _written(path, ids, ((others if n % odd == odd - 1 else encoded)[n % 499] for n in range(rows)))


def typed_output(path: Path, first: int, rows: int, form: str, odd: int = 20) -> Path:
    """The same for `typed_set`, the rows from `first` on; of JSON every `odd`th answer stands in a fence with a word before it."""
    rng = random.Random(7)
    make = _typed_json if form == "json" else _typed_text
    answers = [make(rng) for _ in range(499)]
    odds = [f"Here it is:\n```json\n{a}\n```" if form == "json" else a.replace(": ", "：") for a in answers]
    encoded, others = [orjson.dumps(a) for a in answers], [orjson.dumps(a) for a in odds]
    ids = (b'"p1_gpt-4.1_n01_r%07d"' % n for n in range(first, first + rows))
    return _written(path, ids, ((others if n % odd == odd - 1 else encoded)[n % 499] for n in range(rows)))


def _typed(rng: random.Random) -> tuple[str, str, int, int, str, bool]:
    why, because = (prose(rng.randrange(30, 50), rng.randrange(10_000)) for _ in range(2))
    return rng.choice(MOODS), why, rng.randrange(1, 6), rng.randrange(101), because, rng.random() < 0.5


def _typed_json(rng: random.Random) -> str:
    mood, why, stars, anger, because, useful = _typed(rng)
    found = {"Q1": mood, "Q1_reason": why, "Q2": stars, "Q3": anger, "Q3_reason": because, "Q4": useful}
    return orjson.dumps(found).decode()


def _typed_text(rng: random.Random) -> str:
    mood, why, stars, anger, because, useful = _typed(rng)
    return (
        f"Q1. Mood(value): {mood}\nQ1. Mood(reason): {why}\nQ2. Stars(value): {stars}\n"
        f"Q3. Anger(value): {anger}\nQ3. Anger(reason): {because}\nQ4. Useful(value): {'yes' if useful else 'no'}"
    )


def _written(path: Path, ids: Iterable[bytes], answers: Iterable[bytes]) -> Path:
    """An output file of ids and answers, both as JSON."""
    head, tail = _line("\0", "\1").split(b'"\\u0000"')
    middle, end = tail.split(b'"\\u0001"')
    with open(path, "wb", buffering=1 << 20) as file:
        file.writelines(b"".join((head, custom_id, middle, answer, end)) for custom_id, answer in zip(ids, answers))
    return path


def _line(custom_id: str, answer: str) -> bytes:
    body = {
        "id": "chatcmpl-0123456789abcdef01234567", "object": "chat.completion", "created": 1_760_000_000, "model": "gpt-4.1-2025-04-14",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": answer, "refusal": None, "annotations": []},
                     "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1_431, "completion_tokens": 377, "total_tokens": 1_808,
                  "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}},
        "service_tier": "default", "system_fingerprint": "fp_0123456789",
    }  # fmt: skip
    row = {"id": "batch_req_0123456789", "custom_id": custom_id,
           "response": {"status_code": 200, "request_id": "0123456789abcdef", "body": body}, "error": None}  # fmt: skip
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
