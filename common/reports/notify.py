"""Messages on their way to the channels of a person: none holds up a run, and what was not taken is told."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress

import orjson

from common.reports.channels import Message, channels
from common.settings import ROOT

SECONDS = 10.0  # that all channels together have for a message
MARGIN = 4.0  # seconds for a process to start and to end


class Post:
    """One message, given to all channels by a process of its own. What goes wrong with it never changes how a run ends."""

    def __init__(self, message: Message, seconds: float = SECONDS) -> None:
        self.title, self._process = message.title, None
        self._end = time.monotonic() + seconds + MARGIN
        with suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "common.reports.post", str(seconds)], cwd=ROOT, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,  # its libraries name addresses there
            )  # fmt: skip
            self._process.stdin.write(orjson.dumps([*message]))
            self._process.stdin.close()
            self._process.stdin = None

    def outcome(self) -> dict[str, str]:
        """Why the message was not taken, by channel, "" where it was; waits for that, but no longer than it may take."""
        answer = b""
        if self._process is not None:
            try:
                answer = self._process.communicate(timeout=max(self._end - time.monotonic(), 0.0))[0]
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
        try:
            return orjson.loads(answer)
        except orjson.JSONDecodeError:
            return {channel.name: "it could not be sent" for channel in channels()}

    def warning(self) -> str:
        """Which channels did not take it, in a line; "" where all did."""
        found = self.outcome()
        bad = [f"{name}: {why}" for name, why in found.items() if why]
        if not bad:
            return ""
        return f"the message {self.title!r} reached {len(found) - len(bad)} of {len(found)} channels; not {'; '.join(bad)}"
