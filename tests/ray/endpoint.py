"""A model server as a process of its own: answers after a while, counts what it was asked, refuses what a row says.

    python -m tests.ray.endpoint PORT SECONDS
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import orjson
import uvicorn

NO = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}


class App:
    """The application; a body's `seed` 7 is refused, 9 is busy once. GET anything: what was counted."""

    def __init__(self, pace: float) -> None:
        self.pace, self.asked, self.now, self.peak, self.busy = pace, 0, 0, 0, False
        self.keys: set[str] = set()

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        status, answer = (200, {"asked": self.asked, "peak": self.peak, "keys": sorted(self.keys)})
        if message["type"] == "http.disconnect":  # who asked was killed
            return
        if scope["method"] == "POST":
            self.keys.add(dict(scope["headers"]).get(b"authorization", b"").decode())
            status, answer = await self.answer(orjson.loads(body + message["body"]))
        headers = [(b"content-type", b"application/json"), (b"retry-after", b"0.05")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})

    async def answer(self, body: dict) -> tuple[int, dict]:
        self.asked, self.now = self.asked + 1, self.now + 1
        self.peak = max(self.peak, self.now)
        await asyncio.sleep(self.pace)
        self.now -= 1
        if body.get("seed") == 7:
            return 400, NO
        if body.get("seed") == 9 and not self.busy:
            self.busy = True
            return 429, NO
        said = body["messages"][-1]["content"]
        choice = {"index": 0, "message": {"role": "assistant", "content": f"echo {said}"}, "finish_reason": "stop"}
        return 200, {"object": "chat.completion", "created": 1790000000, "model": body["model"], "choices": [choice],
                     "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}  # fmt: skip


if __name__ == "__main__":
    uvicorn.run(App(float(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
