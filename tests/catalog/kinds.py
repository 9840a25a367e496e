"""Owns texts of twelve kinds, made from a fixed seed: what estimates of tokens go wrong on."""

from __future__ import annotations

import json
import random
import uuid

JAPANESE = (
    "駅前の時計は今日も七分だけ進んでいた。", "誰もそれを直そうとは思わなかった。", "雨のあとの石段には、小さな空がいくつも残っていた。",
    "彼女は手紙の封を切らず、机の引き出しにしまった。",
    "遠くで犬が一度だけ吠え、それきり静かになった。",
    "猫は窓辺で、昨日と同じ光を待っている。",
    "あなたは感情豊かな詩人です。",
    "以下の小説を読んで、面白さを0から100の数値で評価し、その理由を一文で述べてください。",
    "邪智暴虐の王を除かなければならぬと決意した。",
    "カムパネルラが手をあげました。それから四五人手をあげました。", "吾輩は薔薇の憂鬱を顰蹙とともに嚥下した。",
)  # fmt: skip
ENGLISH = (
    "The clock in front of the station was seven minutes fast again today.",
    "Nobody thought of putting it right.",
    "She didn't open the letter; she'd put it away in the drawer of the desk, as usual.",
    "Terrible battery life, but the screen's gorgeous.",
    "You are a careful literary scholar who answers in one word.", "Rate how sad the following story is on a scale from 0 to 100.",
    "In 1987 the committee (chaired by Dr. O'Neill) recommended otherwise.", "Unputdownable! I couldn't recommend this enough...",
)  # fmt: skip
THAI = ("แมวนั่งรออยู่ข้างหน้าต่าง", "วันนี้ฝนตกหนักมาก", "กรุณาให้คะแนนความเศร้าของเรื่องนี้ตั้งแต่ 0 ถึง 100", "เธอเก็บจดหมายไว้ในลิ้นชักโดยไม่เปิดอ่าน")
HINDI = (
    "बिल्ली खिड़की के पास बैठी इंतज़ार कर रही थी।", "आज बहुत तेज़ बारिश हुई।", "कृपया इस कहानी की उदासी को 0 से 100 के पैमाने पर आँकें।",
    "उसने पत्र खोले बिना ही उसे दराज़ में रख दिया।",
)  # fmt: skip
EMOJI = ("😀", "🎉", "👩‍👩‍👧‍👦", "🏳️‍🌈", "❤️", "👍🏽", "🇯🇵", "🫠", "🧑‍🚀", "✨", "🥲", "🍣")
CODE = '''def settle(rows: list[dict], cap: float = 12.5) -> float:
    """Sum of what was paid, in USD."""
    total = 0.0
    for i, row in enumerate(rows):
        if row["state"] != "collected" or not row.get("usage"):
            continue  # nothing was paid
        total += row["usage"]["input"] * 1e-6 + self._rate(row)[%d]
    return min(total, cap)

'''


def _drawn(rng: random.Random, stock: tuple[str, ...], characters: int, joined: str = "") -> str:
    found = ""
    while len(found) < characters:
        found += rng.choice(stock) + joined
    return found


def _numbers(rng: random.Random) -> str:
    return "\n".join(",".join(f"{rng.uniform(-9e3, 9e5):.{rng.randrange(7)}f}" for _ in range(9)) for _ in range(40))


def _json(rng: random.Random) -> str:
    row = {"tags": ["a_b", "x-y"], "ok": True, "nested": {"value": None}}
    rows = [{"id": n, "score": rng.random(), **row, "name": f"row {n}"} for n in range(25)]
    return json.dumps(rows, indent=rng.choice((None, 2)))


def _table(rng: random.Random) -> str:
    rows = [f"| `row_{n}` | {rng.random():.3f} | **yes** | {rng.choice(ENGLISH)[:30]} | – |" for n in range(30)]
    return "| name | share | met | note | |\n|---|--:|:-:|---|---|\n" + "\n".join(rows)


def _few_shot(rng: random.Random) -> str:
    return "\n\n".join(f"Review: {rng.choice(ENGLISH)}\nRating: {rng.randrange(101)}\n評価: {rng.choice(JAPANESE)}" for _ in range(12))


def texts(seed: int = 1) -> dict[str, str]:
    """Kind → a text of 1,000 to 3,000 characters (the long prompt: 60,000); another one for each seed."""
    rng = random.Random(seed)
    return {
        "Japanese": _drawn(rng, JAPANESE, 1_500),
        "English": _drawn(rng, ENGLISH, 2_500, " "),
        "CSV of numbers": _numbers(rng),
        "JSON": _json(rng),
        "code": "".join(CODE % rng.randrange(99) for _ in range(6)),
        "UUIDs": "\n".join(str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(50)),
        "emoji": _drawn(rng, EMOJI, 1_000),
        "Thai": _drawn(rng, THAI, 1_500, " "),
        "Hindi": _drawn(rng, HINDI, 1_500, " "),
        "Markdown table": _table(rng),
        "long prompt": _drawn(rng, ENGLISH + JAPANESE, 60_000, "\n"),
        "few-shot": _few_shot(rng),
    }
