"""Owns what the rehearsal thinks: values that lean with question, reader, text and model, and vary with the temperature."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b, sha256

from .asked import Asked
from .phrases import reason
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


@lru_cache(maxsize=16384)
def _effect(name: str, part: bytes) -> float:
    """What one thing adds to the answers to a question, from -0.5 to 0.5."""
    return blake2b(part, digest_size=1, key=name.encode("utf-8", "surrogatepass")[:64]).digest()[0] / 255 - 0.5


def leaning(name: str, model: bytes, reader: bytes, text: bytes) -> float:
    """Where on a scale from 0 to 1 this reader would put this text, before chance: each has an effect of its own."""
    effects = 0.3 * _effect(name, b"") + 0.3 * _effect(name, reader) + 0.45 * _effect(name, text) + 0.16 * _effect(name, model)
    return min(0.92, max(0.08, 0.5 + effects))


class Mind:
    """The opinions of one answer to what was asked; `pictures` when some were shown."""

    def __init__(self, asked: Asked, model: str, dice: bytes, heat: float, pictures: bool = False) -> None:
        self.asked, self.pictures, self.model = asked, pictures, model.encode("utf-8", "surrogatepass")
        self.reader, self.text = asked.attitude, asked.leaning
        self.dice, self.heat, self.drawn = dice, heat, 0

    def share(self, name: str) -> float:
        """A value from 0 to 1."""
        place = self.drawn * 3 % 24
        self.drawn += 1
        chance = sum(self.dice[place : place + 3]) / 765 - 0.5
        return min(1.0, max(0.0, leaning(name, self.model, self.reader, self.text) + chance * 2 * SPREAD * self.heat))

    def why(self, name: str, share: float) -> str:
        """The reason for a value that is so high, from 0 to 1."""
        return reason(self.asked.language, name, share, self.dice[self.drawn % 24], self.pictures)

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
    value = round(kind.low + share * (kind.high - kind.low), kind.digits)
    return min(kind.high, max(kind.low, value))


def written(kind: Kind, value: float) -> str:
    """A value as a model writes it: with the scale's decimals, and with + where the scale is written so."""
    text = f"{value:.{kind.digits}f}" if kind.digits else f"{round(value)}"
    return f"+{text}" if kind.signed and value > 0 else text
