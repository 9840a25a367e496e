"""Where a limit of calls is known from: an answer's headers, the user, the tier, the host."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from common.providers import account as accounts
from common.providers.answers import rate
from common.rates import RateHeaders

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


def openai_says(limit: str, left: str, reset: str) -> dict[str, str]:
    """OpenAI's headers."""
    return {"x-ratelimit-limit-requests": limit, "x-ratelimit-remaining-requests": left, "x-ratelimit-reset-requests": reset}


def anthropic_says(limit: str, left: str, reset: str) -> dict[str, str]:
    """Anthropic's headers, from a host whose clock is far from ours."""
    names = {"limit": limit, "remaining": left, "reset": reset}
    return {"date": format_datetime(NOW, usegmt=True), **{f"anthropic-ratelimit-requests-{name}": value for name, value in names.items()}}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (openai_says("500", "499", "120ms"), RateHeaders(500, 499, 0.12)),
        (openai_says("500", "0", "6m0s"), RateHeaders(500, 0, 360.0)),
        (openai_says("", "3", "1d2h3m4.5s"), RateHeaders(None, 3, 93784.5)),
        (anthropic_says("50", "49", "2026-11-28T12:00:30Z"), RateHeaders(50, 49, 30.0)),
        (anthropic_says("50", "0", (NOW - timedelta(hours=1)).isoformat()), RateHeaders(50, 0, -3600.0)),
        *((openai_says("9", left, "1s"), None) for left in ("", "-1", "nan", "1e9", "9" * 40, "\uff19")),
        *((openai_says("9", "1", reset), None) for reset in ("", "soon", "-1s", "nan", "1s1s", "9" * 400 + "s", "ms")),
        *((anthropic_says("9", "1", reset), None) for reset in ("", "soon", "9999-99-99T00:00:00Z", "x" * 1000)),
        (openai_says("nan", "1", "999999999d"), RateHeaders(None, 1, 999999999 * 86400.0)),
        ({}, None),
    ],
)
def test_what_headers_say(headers: dict[str, str], said: RateHeaders | None) -> None:
    """Limits, what is left and until when; what makes no sense says nothing."""
    assert rate(headers) == said


@pytest.fixture
def no_rates(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that says nothing of Anthropic's rate."""
    for name in ("RPM", "TIER", "BASE_URL"):
        monkeypatch.delenv(f"ANTHROPIC_{name}", raising=False)
    return monkeypatch


def rpm(tier: str = "") -> float:
    """Requests per minute that Anthropic's account is taken to have."""
    return accounts.account("anthropic", tier=tier).host.requests_per_minute


def test_whose_figure_counts(no_rates: pytest.MonkeyPatch) -> None:
    """The user's before that of the tier, typed or set, before the host's."""
    assert (rpm(), rpm("Scale"), rpm("none such")) == (100, 4000, 100)
    no_rates.setenv("ANTHROPIC_TIER", "start")
    assert (rpm(), rpm("build")) == (1000, 2000)
    no_rates.setenv("ANTHROPIC_RPM", "7")
    assert rpm("build") == 7
