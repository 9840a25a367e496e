"""Owns the other hosts that the service plays: their limits, windows and quirks, in its own words after their documentation.

Each answers under /hosts/<name>/v1. What a host's documentation does not say is as OpenAI has it.
"""

from __future__ import annotations

from .settings import MB, Profile

CHAT = ("/v1/chat/completions",)
UNTOLD = 1_000_000_000  # rows or bytes where no limit is told
BIG = {f"deepseek-ai/{name}" for name in ("DeepSeek-R1", "DeepSeek-V3", "DeepSeek-V3-0324", "DeepSeek-V4.1-Flash", "DeepSeek-V4-Pro-0813")}


def _hours(first: int, last: int) -> tuple[str, ...]:
    return (*(f"{hour}h" for hour in range(first, last + 1)), *(f"{day}d" for day in range(first // 24, last // 24 + 1)))


def _host(name: str, rows: int = UNTOLD, size: int = UNTOLD, quirks: str = "", **more: object) -> Profile:
    return Profile(name, f"/hosts/{name}/v1", rows, size, **{"endpoints": CHAT, "quirks": frozenset(quirks.split()), **more})


HOSTS = {
    host.name: host for host in (
        _host("deepinfra", 50_000, 200 * MB, "null_response", endpoints=(*CHAT, "/v1/completions", "/v1/embeddings"),
              models=(*sorted(BIG), "meta-llama/Llama-4-Scout-17B-16E-Instruct")),
        _host("nebius", 5_000_000, 10_000 * MB, endpoints=(*CHAT, "/v1/embeddings"),
              models=("deepseek-ai/DeepSeek-R1-0528", "deepseek-ai/DeepSeek-V3-0324", "meta-llama/Llama-3.3-70B-Instruct")),
        # PROGRESS where others say in_progress; all states in capitals, times as text
        _host("novita", quirks="capitals iso_times", endpoints=(*CHAT, "/v1/completions"), words={"in_progress": "progress"},
              models=("deepseek/deepseek_v3", "deepseek/deepseek-r1-0528", "meta-llama/llama-3.3-70b-instruct")),
        _host("parasail", 50_000, 500 * MB, one_model=False, endpoints=(*CHAT, "/v1/embeddings")),
        # the first state is in_queue; a batch may take a fortnight
        _host("siliconflow", 5_000, 1_000 * MB, "no_error_key", windows=_hours(24, 336), words={"validating": "in_queue"},
              models=("deepseek-ai/DeepSeek-R1", "deepseek-ai/DeepSeek-V3")),
        _host("doubleword", windows=("1h", "24h"), endpoints=(*CHAT, "/v1/responses", "/v1/embeddings", "/v1/completions")),
        _host("alibaba", 50_000, windows=_hours(24, 336), models=("deepseek-r1", "deepseek-v3", "deepseek-v3.2", "batch-test-model")),
        _host("groq", 50_000, 100 * MB, windows=_hours(24, 168), models=("openai/gpt-oss-120b", "openai/gpt-oss-20b")),
        _host("moonshot", models=("kimi-k2.5",)),
        _host("scaleway"),
        _host("cerebras", 50_000, 200 * MB, models=("gpt-oss-120b",)),
        # the key comes in a header of its own, and models are what somebody has called their deployments
        _host("azure", 100_000, 200 * MB, key_header="api-key", endpoints=(*CHAT, "/v1/responses", "/v1/embeddings")),
        # another purpose, a creation that is wrapped, jobs without counts and metadata, a list that is nothing but a list
        _host("together", 50_000, 100 * MB, "capitals iso_times wrapped_job job_object bare_list no_error_key", purpose="batch-api",
              models=("deepseek-ai/DeepSeek-V4.1-Flash", "deepseek-ai/DeepSeek-V4-Pro-0813")),
    )
}  # fmt: skip
NULL_RESPONSE = frozenset(name for name, host in HOSTS.items() if "null_response" in host.quirks)
NO_ERROR_KEY = frozenset(name for name, host in HOSTS.items() if "no_error_key" in host.quirks) | {"kluster"}
