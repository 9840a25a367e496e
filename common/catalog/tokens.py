"""Counting tokens before anybody counts them for us: an estimate that needs no vocabulary file.

The providers' tokenizers are downloads of their own and differ; a plan needs a figure that is fast and the same on
every machine. ASCII text is taken at 4 characters a token; Japanese, Chinese and Korean at 1 character a token.
Against the true counts (measured 2026-11-25) that is 15 to 25 % too many for Japanese with OpenAI's models, but too
few elsewhere: 9 % for English reviews and 27 % for text with tables there; for English 22 % with Claude up to 4.6 and
41 % from 4.7 on (by an unofficial count). So it is no upper bound.
"""

from __future__ import annotations

PER_MESSAGE = 8  # role and separators, as the chat formats add them


def estimate(text: str) -> int:
    """Estimated tokens of a text, rounded up."""
    ascii_characters = len(text.encode("ascii", "ignore"))
    return len(text) - ascii_characters + -(-ascii_characters // 4)
