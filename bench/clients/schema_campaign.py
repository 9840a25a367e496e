"""Holds the service to the vendors' OpenAPI descriptions: python -m bench.clients.schema_campaign OPENAI.yaml ANTHROPIC.yaml

schemathesis makes calls, good and bad ones, until there were at least --calls: no 5xx, no undocumented status, content type or shape.
With --prism the SDKs' own tests also run through the validating proxy prism (npm: @stoplight/prism-cli), which answers with an error
wherever a request or an answer is not as described.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import jsonschema
import yaml
from anthropic import Anthropic

from . import sdk_tests
from .common import foreign_env, free_port, run, service, venv, wait_for_port

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance"
HEADERS = {"openai": ("Authorization: Bearer k",), "anthropic": ("x-api-key: k", "anthropic-version: 2023-06-01")}
# Ids that exist, so that not all calls end with 404; a second round has none of them.
SEEDS = {
    "openai": {"batch_id": "batch_seeded", "file_id": "file_seeded", "after": "batch_seeded"},
    "anthropic": {"message_batch_id": "msgbatch_seeded"},
}
LINES = [{"custom_id": "a", "result": {"type": "canceled"}}, {"custom_id": "b", "result": {"type": "expired"}}]


def seed(base: str) -> None:
    """Lay out the ids that the rounds with existing objects ask for."""
    plan = {"files": [{"id": "file_seeded", "content": "{}"}], "batches": [
        {"id": "batch_seeded", "status": "completed", "lines": LINES},
        {"id": "msgbatch_seeded", "profile": "anthropic", "status": "completed", "lines": LINES}]}
    with urlopen(f"{base}/_control/seed", json.dumps(plan).encode(), timeout=20) as answer:
        answer.read()


def campaign(api: str, schema: Path, base: str, examples: int, seeded: bool, number: int) -> tuple[int, bool, str]:
    """One round of schemathesis; returns the calls made, whether all was well, and its words."""
    python = venv("schemathesis", "schemathesis==4.32.5")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "schemathesis.toml"
        ids = {f"{'query' if name == 'after' else 'path'}.{name}": value for name, value in SEEDS[api].items()} if seeded else {}
        config.write_text("[parameters]\n" + "".join(f'"{name}" = "{value}"\n' for name, value in ids.items()))
        headers = [word for header in HEADERS[api] for word in ("-H", header)]
        done = run([python.with_name("st"), "--config-file", config, "run", schema, "-u", base, "--phases", "examples,coverage,fuzzing",
                    "-c", CHECKS, "-m", "all", "-n", examples, "--continue-on-failure", "--no-color", "--seed", number, *headers],
                   1500, cwd=folder, env=foreign_env())
    found = re.search(r"([\d,]+) generated", done.stdout)
    return int(found[1].replace(",", "")) if found else 0, done.returncode == 0, done.stdout[-9000:] + done.stderr[-1000:]


def schemathesis(schemas: dict[str, Path], calls: int, examples: int) -> bool:
    """Rounds for both APIs, with and without existing ids, until there were enough calls."""
    made, well, number = 0, True, 0
    began = time.monotonic()
    while made < calls and well:
        number += 1
        for api, schema in schemas.items():
            for seeded in (True, False):
                with service(speed=20000) as facts:
                    seed(facts["base_url"])
                    count, fine, words = campaign(api, schema, facts["base_url"], examples, seeded, number)
                print(f"schemathesis, {api}, {'existing' if seeded else 'any'} ids: {count} calls, {'all well' if fine else 'FAILED'}",
                      flush=True)
                made, well = made + count, well and fine and bool(count)
                if not fine:
                    print(words)
    print(f"schemathesis: {made} calls in {time.monotonic() - began:.0f} s: {'no 5xx, no undocumented shape' if well else 'FAILED'}")
    return well


def result_rows(schema: Path) -> bool:
    """Every kind of row of a Message Batch's results, which proxies do not look into, against the description."""
    description = yaml.safe_load(schema.read_text())
    row_schema = {**description, "$ref": "#/components/schemas/MessageBatchIndividualResponse"}
    check = jsonschema.Draft202012Validator(row_schema)
    kinds, bad = Counter(), []
    for fate in ({}, {"expire_at": 0.5}, {"cancel_at": 0.5}, {"rows": {"share": 0.5, "status": 529, "times": -1}}):
        with service("--cut-share", "0.3", speed=20000) as facts, Anthropic(base_url=facts["base_url"], api_key="k") as client:
            rules = json.dumps([{"call": "messages.batches.create", "action": {"fate": fate}}]).encode()
            urlopen(f"{facts['base_url']}/_control/faults", rules, timeout=20).close()
            batch = client.messages.batches.create(requests=[{"custom_id": f"r{n}", "params": {
                "model": "claude-haiku-4-5", "max_tokens": 99, "messages": [{"role": "user", "content": f"{n}"}]}} for n in range(100)])
            while batch.processing_status != "ended":
                time.sleep(0.05)
                batch = client.messages.batches.retrieve(batch.id)
            request = Request(batch.results_url, headers={"x-api-key": "k", "anthropic-version": "2026-10-21"})
            with urlopen(request, timeout=20) as answer:
                rows = [json.loads(line) for line in answer]
            kinds.update(row["result"]["type"] for row in rows)
            bad += [error.message for row in rows for error in check.iter_errors(row)]
    print(f"result rows against the description: {dict(kinds)}, {len(bad)} wrong {bad[:3] or ''}")
    return not bad and len(kinds) == 4


@contextmanager
def prism(command: str, schema: Path, base: str):
    """The validating proxy in front of the service; yields its address."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([command, "proxy", "--errors", "--port", str(port), str(schema), base], stdout=log, stderr=log)
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def through_prism(command: str, schemas: dict[str, Path]) -> bool:
    """The SDKs' tests of the routes that the schemas describe, with every answer validated on its way."""
    well = True
    # The newest SDK sends params that the description does not know yet; prism refuses the request before we see it.
    newer = {"anthropic": " and not test_method_create_with_all_params"}
    for api, schema in schemas.items():
        with service(speed=1) as facts, prism(command, schema, facts["base_url"]) as proxy:
            for mocks, words in ((True, "as they are"), (False, "mocks taken away")):
                counts, told = sdk_tests.run_tests(api, facts["base_url"], proxy, mocks, only=f"(atches or Files){newer.get(api, '')}")
                fine = bool(counts.get("passed")) and not counts.get("failed") and not counts.get("error") and not counts.get("errors")
                print(f"prism, {api} SDK, {words}: {counts}", flush=True)
                well = well and fine
                if not fine:
                    print(told)
    return well


def main() -> int:
    """Run what was asked for; the exit code says whether anything was amiss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("openai", type=Path)
    parser.add_argument("anthropic", type=Path)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--examples", type=int, default=150, help="per operation and round")
    parser.add_argument("--prism", metavar="COMMAND", help="where prism is")
    args = parser.parse_args()
    schemas = {"openai": args.openai.resolve(), "anthropic": args.anthropic.resolve()}
    well = schemathesis(schemas, args.calls, args.examples) if args.calls else True
    well = result_rows(schemas["anthropic"]) and well
    if args.prism:
        well = through_prism(args.prism, schemas) and well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
