"""What a request weighs before it is sent: tokens that its prompt is expected to have, and USD that it can cost at most."""

from __future__ import annotations

from functools import lru_cache, partial

import orjson

from common.catalog.prices import ceiling
from common.catalog.tokens import FRAME, KEPT, NOTHING, PER_FORM_AT_MOST, PER_MESSAGE, PER_MESSAGE_AT_MOST, Meter, Tokens
from common.nouns import Ask, Condition, Marks, Model
from common.providers.base import Provider
from common.providers.caching import OWN


class Weigher:
    """Weighs what one model is asked, under one cap on the tokens of its answers."""

    def __init__(self, model: Model, cap: int, provider: Provider, meter: Meter) -> None:
        self.model, self._provider, self._count = model, provider, meter.of(model)
        self._form = lru_cache(KEPT)(self._counted_form)
        self._most = lru_cache(4096)(partial(ceiling, model, max_tokens=cap))

    def weigh(self, condition: Condition, ask: Ask, marks: Marks | None, tail: bytes) -> tuple[int, float | None]:
        """Prompt tokens, and USD at most (None: a price is unknown), of a request; `tail` is what stands behind its id, unmarked."""
        (system, system_most), (user, user_most) = self._count(condition.system), self._count(condition.user)
        tokens, most = system + user + 2 * PER_MESSAGE + FRAME, system_most + user_most + 2 * PER_MESSAGE_AT_MOST
        if ask.schema:
            form, form_most = self._form(ask.schema)
            tokens, most = tokens + form, most + form_most
        if condition.turns or condition.attachments or ask.parameters:
            further = self._further(condition, ask)
            tokens, most = tokens + further.expected, most + further.most
        if marks:
            return tokens, self._most(most, kept=most if marks.whole else most - user_most)
        if ask.parameters and OWN in tail:  # a person has written marks
            return tokens, self._most(most, kept=most)
        return tokens, self._most(most)

    def _further(self, condition: Condition, ask: Ask) -> Tokens:
        """Tokens of what most requests do not have."""
        turns = [self._count(text) for _, text in condition.turns]
        form = self._form(orjson.dumps(ask.parameters).decode()) if ask.parameters else NOTHING
        files = sum(self._provider.attachment_tokens(attachment, self.model) for attachment in condition.attachments)
        return Tokens(
            files + form.expected + sum(turn.expected + PER_MESSAGE for turn in turns),
            files + form.most + sum(turn.most + PER_MESSAGE_AT_MOST for turn in turns),
        )

    def _counted_form(self, form: str) -> Tokens:
        """Tokens of a schema or of parameters. How an API words them to its model, nobody says."""
        return Tokens(self._count(form).expected, len(form.encode()) + PER_FORM_AT_MOST)
