"""Runs every block of docs/batch-server.md, and checks that every option and fault is in it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from tests.basics import ROOT
from tests.service import Service
from tools.batch_server.__main__ import parser, settings_of
from tools.batch_server.plan import ACTIONS

TEXT = (ROOT / "docs" / "batch-server.md").read_text()
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("kind", "code"), BLOCKS)
def test_a_block_works(service: Service, tmp_path, kind: str, code: str):
    """Commands that start a service parse; all others run against one."""
    if code.startswith("python -m tools.batch_server"):
        assert settings_of(shlex.split(code)[3:]).port == 8790
        return
    code = code.replace("http://127.0.0.1:8790", service.base)
    command = [sys.executable, "-c", code] if kind == "python" else ["sh", "-ec", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_action_and_flag_is_explained():
    """Whoever adds one explains it."""
    assert [name for name in ACTIONS if f'"{name}"' not in TEXT] == []
    told = {"--help", "-h"}
    flags = {flag for action in parser()._actions for flag in action.option_strings} - told
    assert [flag for flag in flags if flag not in TEXT] == []
