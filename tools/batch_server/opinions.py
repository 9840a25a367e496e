"""Owns what the rehearsal thinks: values that lean with question, reader, text and model, and vary with the temperature."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b, sha256

from .asked import Asked
from .phrases import band_of, reasons
from .scales import Kind

SPREAD = 0.24  # of a scale, both ways, at temperature 1


def dice_of(body: dict, model: str, text: str, digest: bytes) -> bytes:
    """What chance is drawn from: the row's own digest, but at temperature 0 and with a `seed` only what the model is asked."""
    seed = body.get("seed")
    if seed is None and body.get("temperature") != 0:
        return digest
    return sha256(f"{model}\x1e{body.get('temperature')!r}\x1e{seed!r}\x1e{text}".encode("utf-8", "surrogatepass")).digest()


def warmth(body: dict) -> float:
    """How far answers vary: 0 at temperature 0, 1 at 1 and where none is given, at most 1.4."""
    heat = body.get("temperature")
    return min(1.4, heat**0.5) if isinstance(heat, (int, float)) and heat >= 0 else 1.0


def _mixed(name: int, part: int) -> float:
    """What one thing adds to the answers to a question, from -0.5 to 0.5; a data set asks for this millions of times."""
    return (((name ^ part) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 48) / 65535 - 0.5


@lru_cache(maxsize=4096)
def _number(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@lru_cache(maxsize=4096)
def _before_reading(name: str, model: str, reader: int) -> tuple[float, int]:
    """Where this reader would put a text that it does not know yet, and the question as a number."""
    question = _number(name)
    return 0.5 + 0.3 * _mixed(question, 0) + 0.3 * _mixed(question, reader) + 0.16 * _mixed(question, _number(model)), question


def leaning(name: str, model: str, reader: int, text: int) -> float:
    """Where on a scale from 0 to 1 this reader would put this text, before chance: each has an effect of its own."""
    base, question = _before_reading(name, model, reader)
    share = base + 0.45 * _mixed(question, text)
    return 0.08 if share < 0.08 else 0.92 if share > 0.92 else share


class Mind:
    """The opinions of one answer to what was asked; `pictures` when some were shown."""

    def __init__(self, asked: Asked, model: str, dice: bytes, heat: float, pictures: bool = False) -> None:
        self.asked, self.pictures, self.model = asked, pictures, model
        self.reader, self.text = asked.attitude, asked.leaning
        self.dice, self.heat, self.drawn, self.spread = dice, heat, 0, 2 * SPREAD * heat

    def leaning(self, name: str) -> float:
        """Where this answer to a question would be without chance."""
        return leaning(name, self.model, self.reader, self.text)

    def share(self, name: str) -> float:
        """A value from 0 to 1."""
        return self.near(leaning(name, self.model, self.reader, self.text))

    def near(self, base: float) -> float:
        """A value from 0 to 1 near a leaning."""
        place = self.drawn * 3 % 24
        self.drawn += 1
        a, b, c = self.dice[place : place + 3]
        share = base + ((a + b + c) / 765 - 0.5) * self.spread
        return 0.0 if share < 0 else 1.0 if share > 1 else share

    def why(self, name: str, share: float) -> str:
        """The reason for a value that is so high, from 0 to 1."""
        return reasons(self.asked.language, name, self.pictures)[band_of(share)][self.dice[self.drawn % 24] % 3]

    def pick(self, name: str, options: tuple | list) -> int:
        """The place of the option that is liked best."""
        return max(range(len(options)), key=self.liking(name, options).__getitem__)

    def liking(self, name: str, options: tuple | list) -> list[float]:
        """How well each option is liked: by its leaning, and by chance."""
        chances = blake2b(self.dice + bytes((self.drawn % 256,)), digest_size=64).digest()
        self.drawn += 1
        return [leaning(f"{str(option)[:40]}\x1e{name}", self.model, self.reader, self.text) + (chances[n % 64] / 255 - 0.5) * self.heat
                for n, option in enumerate(options)]

    def some(self, name: str, options: tuple | list) -> list[int]:
        """The places of the options that are liked; at least one."""
        liked = self.liking(name, options)
        return [n for n, value in enumerate(liked) if value > 0.6] or [liked.index(max(liked))]


def number(kind: Kind, share: float) -> float:
    """The value of a scale at a share from 0 to 1."""
    return round(kind.low + share * (kind.high - kind.low), kind.digits)


def written(kind: Kind, value: float) -> str:
    """A value as a model writes it: with the scale's decimals, and with + where the scale is written so."""
    text = f"{value:.{kind.digits}f}" if kind.digits else str(int(value))
    return f"+{text}" if kind.signed and value > 0 else text
