"""What a request weighs before it is sent: tokens that its prompt is expected to have, and USD that it can cost at most."""

from __future__ import annotations

from functools import lru_cache, partial

import orjson

from common.catalog.prices import ceiling
from common.catalog.tokens import FRAME, NOTHING, PER_FORM_AT_MOST, PER_MESSAGE, PER_MESSAGE_AT_MOST, Meter, Tokens
from common.experiment.grid import Asked
from common.nouns import Ask, Condition, Model
from common.providers.base import Provider
from common.providers.caching import OWN


class Scale:
    """Weighs what one model is asked, under one cap on the tokens of its answers."""

    def __init__(self, model: Model, cap: int, provider: Provider, meter: Meter) -> None:
        self._model, self._provider, self._count = model, provider, meter.of(model)
        self._most = lru_cache(4096)(partial(ceiling, model, max_tokens=cap))

    def weigh(self, asked: Asked, tail: bytes) -> tuple[int, float | None]:
        """Prompt tokens, and USD at most (None: a price is unknown), of each trial; `tail` is what stands behind its id, unmarked."""
        condition, ask, marks = asked.condition, asked.ask, asked.marks
        system, user = self._count(condition.system), self._count(condition.user)
        tokens, most = system[0] + user[0] + 2 * PER_MESSAGE + FRAME, system[1] + user[1] + 2 * PER_MESSAGE_AT_MOST
        if ask.schema or ask.parameters or condition.turns or condition.attachments:
            further = self._further(condition, ask)
            tokens, most = tokens + further.expected, most + further.most
        if marks:
            return tokens, self._most(most, kept=most if marks.whole else most - user[1])
        if ask.parameters and OWN in tail:  # a person has written marks
            return tokens, self._most(most, kept=most)
        return tokens, self._most(most)

    def _further(self, condition: Condition, ask: Ask) -> Tokens:
        """Tokens of what most requests do not have."""
        parts = [self._form(ask.schema)]
        for _, text in condition.turns:
            turn = self._count(text)
            parts.append(Tokens(turn.expected + PER_MESSAGE, turn.most + PER_MESSAGE_AT_MOST))
        if ask.parameters:
            parts.append(self._form(orjson.dumps(ask.parameters).decode()))
        files = sum(self._provider.attachment_tokens(attachment, self._model) for attachment in condition.attachments)
        return Tokens(files + sum(part.expected for part in parts), files + sum(part.most for part in parts))

    def _form(self, form: str) -> Tokens:
        """Tokens of a schema or of parameters. How an API words them to its model, nobody says."""
        return Tokens(self._count(form).expected, len(form.encode()) + PER_FORM_AT_MOST) if form else NOTHING
