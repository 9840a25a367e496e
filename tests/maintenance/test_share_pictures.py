"""Pictures of a run that is given away: screen and page say where they are, and there they are."""

from __future__ import annotations

import zipfile
from base64 import b64encode
from collections.abc import Callable

from tests.experiment.test_attachments import png
from tests.support import Commands

SAID = "images and PDFs are in run/shards as they were sent (base64), not as files"


def test_where_pictures_are(run: Commands, study: Callable) -> None:
    """As they were sent in the shards, and nothing is said of them where a run has none."""
    picture = png(7, 9)
    for name, files in (("shown", ', files = ["a.png"]'), ("plain", "")):
        folder = study({"a.png": picture}, prompt=f'{{system = "s", user = "{{text}}"{files}}}')
        assert run("openai", "--batch", "--model", "gpt-4.1", "--experiment", folder, "--run", name).code == 0
        end = run.make("share", name)
        assert end.code == 0, end.said
        with zipfile.ZipFile(run.results / f"shared/openai-{name}-SIMULATED.zip") as archive:
            sent = archive.read("run/shards/shard-00001.jsonl")
            page = archive.read("README.md").decode()
        assert {SAID in end.out, SAID in page, b64encode(picture) in sent} == {name == "shown"}
