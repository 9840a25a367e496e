"""Owns the bare scripts that we are compared with: what the same work costs when nothing is checked, kept or resumed.

    python bench/limits.py copy FILE… INTO       read, write, sha256, fsync: moving the bytes alone
    python bench/limits.py build SHARD INTO      rows of a data set → request lines with orjson
    python bench/limits.py parse FILE            orjson.loads of each output line, nothing else
    python bench/limits.py table FILE INTO       parse, and the csv module for id, model, tokens and answer
    python bench/limits.py texts FILE INTO       parse, and one text file per answer
    python bench/limits.py batch URL EXPERIMENT TRIALS LIMIT INTO      OpenAI's shape: build, upload, wait, download, scores
    python bench/limits.py create URL EXPERIMENT TRIALS LIMIT          Anthropic's shape: build and create
"""

from __future__ import annotations

import csv
import hashlib
import http.client
import os
import re
import sys
import time
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import orjson

SCORE = re.compile(r"^(Q\d)\. \S+\(数値\): ?(\d+)$", re.MULTILINE)


def copy(*paths: str) -> None:
    """Copy files into a folder in blocks, hash them on the way and sync them."""
    block = bytearray(1 << 20)
    view = memoryview(block)
    for path in paths[:-1]:
        digest = hashlib.sha256()
        with open(path, "rb", buffering=0) as source, open(Path(paths[-1]) / Path(path).name, "wb", buffering=0) as target:
            while n := source.readinto(block):
                digest.update(view[:n])
                target.write(view[:n])
            os.fsync(target.fileno())
        print(digest.hexdigest())


def build(table: str, into: str) -> None:
    """Request lines for each row of a CSV file, nothing checked."""
    with open(table, encoding="utf-8", newline="") as rows, open(into, "wb", buffering=1 << 20) as file:
        for row in csv.DictReader(rows):
            messages = [{"role": "system", "content": "あなたは大学1年生です。"}, {"role": "user", "content": row["text"]}]
            body = {"model": "gpt-4.1", "messages": messages, "temperature": 0.7, "max_tokens": 512}
            line = {"custom_id": row["id"], "method": "POST", "url": "/v1/chat/completions", "body": body}
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        file.flush()
        os.fsync(file.fileno())


def parse(path: str) -> None:
    """Only parse."""
    with open(path, "rb") as file:
        print(sum(len(orjson.loads(line)["response"]["body"]["choices"]) for line in file))


def table(path: str, into: str) -> None:
    """A CSV without scores."""
    count = 0
    with open(path, "rb") as file, open(into, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        for line in file:
            row = orjson.loads(line)
            body = row["response"]["body"]
            choice, usage = body["choices"][0], body["usage"]
            writer.writerow((row["custom_id"], body["model"], choice["finish_reason"], usage["prompt_tokens"],
                             usage["completion_tokens"], choice["message"]["content"]))  # fmt: skip
            count += 1
    print(count)


def texts(path: str, into: str) -> None:
    """The barest loop that writes files of the same size and names."""
    os.makedirs(into)
    header = b"." * 420 + b"\n\n"
    with open(path, "rb") as file:
        for line in file:
            row = orjson.loads(line)
            with open(f"{into}/{row['custom_id']}.txt", "wb", buffering=0) as out:
                out.write(header + row["response"]["body"]["choices"][0]["message"]["content"].encode())


def _cells(folder: str):
    """(text id, persona id, system, user, temperature) of a study made by inputs.py."""
    experiment = tomllib.loads((Path(folder) / "experiment.toml").read_text(encoding="utf-8"))
    prompt = experiment["prompt"]
    for text in experiment["text"]:
        words = (Path(folder) / text["file"]).read_text(encoding="utf-8")
        for persona in experiment["persona"]:
            heat = round(persona["temperature"] + text["modifier"], 4)
            system = prompt["system"].replace("{persona.name}", persona["name"])
            yield text["id"], persona["id"], system, prompt["user"].replace("{text}", words).strip("\n"), heat


def _call(url: str, method: str, path: str, body=None, headers=None) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    connection.request(method, parts.path + path, body, {"Authorization": "Bearer sk-bench", **(headers or {})})
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"{method} {path}: {response.status} {response.read()[:500]}")
    return response


def batch(url: str, folder: str, trials: str, limit: str, into: str) -> None:
    """One batch after the other from experiment to scores, as a researcher would write it down: lists in memory."""
    lines = []
    for text, persona, system, user, heat in _cells(folder):
        for trial in range(1, int(trials) + 1):
            messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            body = {"model": "gpt-4.1", "messages": messages, "temperature": heat, "max_tokens": 512}
            line = {"custom_id": f"p{persona}_n{trial}_{text}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            lines.append(orjson.dumps(line))
    lines = lines[: int(limit)]
    batches, size = [[]], 0
    for line in lines:
        size += len(line) + 1
        if size > 200_000_000 or len(batches[-1]) == 50_000:
            batches.append([])
            size = len(line) + 1
        batches[-1].append(line)
    count = 0
    waiting = [_start(url, b"\n".join(one) + b"\n") for one in batches]
    with open(into, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        for batch_id in waiting:
            while (state := orjson.loads(_call(url, "GET", f"/batches/{batch_id}").read()))["status"] != "completed":
                time.sleep(0.1)
            for line in _call(url, "GET", f"/files/{state['output_file_id']}/content").read().splitlines():
                row = orjson.loads(line)
                content = row["response"]["body"]["choices"][0]["message"]["content"]
                writer.writerow((row["custom_id"], content, *(score for _, score in SCORE.findall(content))))
                count += 1
    print(count)


def _start(url: str, content: bytes) -> str:
    edge = b"--bench--edge"
    body = b"\r\n".join((
        b"--" + edge, b'Content-Disposition: form-data; name="purpose"', b"", b"batch", b"--" + edge,
        b'Content-Disposition: form-data; name="file"; filename="a.jsonl"', b"Content-Type: application/jsonl", b"", content,
        b"--" + edge + b"--", b"",
    ))  # fmt: skip
    uploaded = _call(url, "POST", "/files", body, {"Content-Type": f"multipart/form-data; boundary={edge.decode()}"})
    wish = {"input_file_id": orjson.loads(uploaded.read())["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = _call(url, "POST", "/batches", orjson.dumps(wish), {"Content-Type": "application/json"})
    return orjson.loads(made.read())["id"]


def create(url: str, folder: str, trials: str, limit: str) -> None:
    """One create call with all requests inside."""
    requests = []
    for text, persona, system, user, heat in _cells(folder):
        for trial in range(1, int(trials) + 1):
            params = {"model": "claude-haiku-4-5", "max_tokens": 512, "system": system, "temperature": heat,
                      "messages": [{"role": "user", "content": user}]}  # fmt: skip
            requests.append({"custom_id": f"p{persona}_n{trial}_{text}", "params": params})
    body = orjson.dumps({"requests": requests[: int(limit)]})
    headers = {"Content-Type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "sk-bench"}
    made = orjson.loads(_call(url, "POST", "/v1/messages/batches", body, headers).read())
    print(made["request_counts"]["processing"])


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
