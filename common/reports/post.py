"""A process of its own that gives one message to all channels at once, and ends when its time is over, whatever a channel does.

    python -m common.reports.post SECONDS < message.json

Channels are what the environment names, so no address stands in a process list. Says {channel: why not} as JSON.
A thread would not do: what a channel's library starts can hold up the end of the process that uses it.
"""

from __future__ import annotations

import os
import sys
import threading
import time

import orjson

from common.reports.channels import Channel, Message, channels, send

LATE = "it broke, or did not answer in time"


def main(seconds: float, message: Message) -> dict[str, str]:
    """Give the message to every channel; why it was not taken by its name, "" where it was, once all are done or time is over."""
    found = dict.fromkeys((channel.name for channel in channels()), LATE)

    def give(channel: Channel) -> None:
        found[channel.name] = send(channel, message)

    workers = [threading.Thread(target=give, args=(channel,), daemon=True) for channel in channels()]
    for worker in workers:
        worker.start()
    end = time.monotonic() + seconds
    for worker in workers:
        worker.join(max(end - time.monotonic(), 0.0))
    return dict(found)


if __name__ == "__main__":
    with open(0, "rb") as given, open(1, "wb") as answer:
        answer.write(orjson.dumps(main(float(sys.argv[1]), Message(*orjson.loads(given.read())))))
    os._exit(0)  # not a moment for what still hangs
