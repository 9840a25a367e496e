"""Counting tokens before anybody counts them for us: an estimate, on the high side, that needs no vocabulary file.

The providers' tokenizers are downloads of their own and differ; a plan needs a figure that is fast, the same on
every machine and rather too high. ASCII text runs at about 4 characters a token; Japanese, Chinese and Korean at
about 1 character a token or less.
"""

from __future__ import annotations

PER_MESSAGE = 8  # role and separators, as the chat formats add them


def estimate(text: str) -> int:
    """Estimated tokens of a text, rounded up."""
    ascii_characters = len(text.encode("ascii", "ignore"))
    return len(text) - ascii_characters + -(-ascii_characters // 4)
