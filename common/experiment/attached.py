"""What the files that go with prompts hold: part of what is asked, so a changed picture is another run."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from itertools import product

from common.errors import InputError
from common.experiment.attachments import Attachments, content_digest
from common.experiment.experiment import Experiment
from common.experiment.prompt import Prompt


def attached_digest(experiment: Experiment) -> str:
    """A hex digest of all images and PDFs that may be shown, "" where there are none. Reads each of them; memory: a few.

    Raises InputError for an unknown name in a prompt.
    """
    if not experiment.files:
        return ""
    prompts: dict[tuple, Prompt] = {}
    for persona, *levels in product(experiment.personas, *(factor.levels for factor in experiment.factors)):
        known = experiment.words | {f"persona.{key}": value for key, value in persona.keys.items()}
        for factor, level in zip(experiment.factors, levels):
            known |= {factor.name: level.id, **{f"{factor.name}.{key}": value for key, value in level.keys.items()}}
        for source in experiment.files:
            made = Prompt(source, known, experiment.texts.columns, experiment.path, "prompt.files")
            prompts.setdefault(made.identity, made)
    attachments, found = Attachments(experiment.path.parent), hashlib.sha256()

    @lru_cache(4096)
    def shown(name: str) -> str:
        try:
            return content_digest(attachments.of(name))
        except InputError:
            return "cannot be shown"  # why not may name a folder of this machine

    only, id_column = experiment.only_texts, experiment.texts.id_column
    for _, row in experiment.texts.rows():
        if only is None or row[id_column] in only:
            for prompt in prompts.values():
                found.update(f"{shown(name)}\n".encode("utf-8", "replace") if (name := prompt(row).strip()) else b"\n")
    return found.hexdigest()
