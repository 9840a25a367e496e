"""Runs the official SDKs' own request tests against the local batch service: python -m bench.clients.sdk_tests"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
from pathlib import Path

from .common import CACHE, foreign_env, run, service, venv

HERE = Path(__file__).parent
TOOLS = ("pytest", "pytest-asyncio", "respx", "inline-snapshot", "http-snapshot[httpx]", "dirty-equals", "time-machine", "rich",
         "pytest-xdist", "opentelemetry-sdk", "aiohttp")
# sdk -> version, path added to the base URL, test files
SDKS = {
    "openai": ("3.54.0", "/v1", ("test_files.py", "test_batches.py", "test_models.py")),
    "anthropic": ("2.12.0", "", ("messages/test_batches.py", "test_messages.py", "test_models.py")),
}
# What cannot apply, and why; matched against the names of tests.
NOT_OURS = {
    "openai": {
        "Models and delete": "deletes a fine-tuned model, which has nothing to do with batches",
        "(Files or Batches) and test_method_list_with_all_params": "asks for limit=0; documented are 1 to 10,000 and 1 to 100",
    },
    "anthropic": {},
}


def source(sdk: str, version: str) -> Path:
    """The unpacked source distribution, from the package index."""
    folder = CACHE / "sources"
    place = folder / f"{sdk}-{version}"
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", sdk, f"{sdk}=={version}", "-d", folder])
        if done.returncode:
            raise SystemExit(done.stderr[-1500:])
        with tarfile.open(folder / f"{sdk}-{version}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return place


def run_tests(sdk: str, control: str, base: str, mocks: bool = True, only: str = "") -> tuple[dict[str, int], str]:
    """Run one SDK's tests against `base`, seeding through `control`; returns counts and the end of pytest's words."""
    version, tail, files = SDKS[sdk]
    place = source(sdk, version)
    python = venv(f"sdk-{sdk}", f"{sdk}=={version}", *TOOLS)
    env = foreign_env(TEST_API_BASE_URL=base + tail, SEED_URL=f"{control}/_control/seed", PYTHONPATH=str(HERE),
                      NO_MOCKS="0" if mocks else "1")
    leave = " or ".join(f"({words})" for words in NOT_OURS[sdk]) or "nothing_at_all"
    chosen = f"not ({leave})" if mocks else "results or content"
    chosen = f"({chosen}) and ({only})" if only else chosen
    done = run([python, "-m", "pytest", "-q", "-p", "seeded_plugin", "-p", "no:cacheprovider", "--tb=short", "-n", "0", "-k", chosen,
                *(f"tests/api_resources/{name}" for name in files)], cwd=place, env=env)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped|deselected|xfailed)", done.stdout)}
    return counts, done.stdout[-12000:] + done.stderr[-2000:]


def main() -> int:
    """Run all and print the counts; the exit code says whether anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdk", choices=sorted(SDKS))
    parser.add_argument("--verbose", action="store_true", help="print pytest's words when something fails")
    args = parser.parse_args()
    bad = 0
    with service(speed=1) as facts:
        for sdk in [args.sdk] if args.sdk else sorted(SDKS):
            for mocks, words in ((True, "as they are"), (False, "mocks taken away")):
                counts, told = run_tests(sdk, facts["base_url"], facts["base_url"], mocks)
                print(f"{sdk} {SDKS[sdk][0]}, {words}: {counts}")
                wrong = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0) or not counts.get("passed")
                bad += wrong
                if wrong and args.verbose:
                    print(told)
            for test, why in NOT_OURS[sdk].items():
                print(f"  left out: {test}: {why}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
