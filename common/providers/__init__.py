"""The batch APIs by name, and who speaks for an account. Importing this imports no SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.providers.anthropic import Anthropic
from common.providers.base import Provider
from common.providers.openai import OpenAIShaped
from common.providers.openrouter import OpenRouter

if TYPE_CHECKING:
    from common.providers.account import Account
    from common.rates import Named

# A new shape is one file in this folder and one entry here; a host of a known shape is a row of hosts.toml.
APIS: dict[str, type[Provider]] = {"openai": OpenAIShaped, "anthropic": Anthropic, "openrouter": OpenRouter}


def connect(account: Account, rates: Named | None = None) -> Provider:
    """The provider that speaks an account's shape; nothing is sent yet.

    `rates` names the file in which the pace of its calls is kept together with other processes.
    """
    key, headers = (account.token, {}) if account.token else (account.key, account.headers)
    return APIS[account.host.api](account.host, account.base_url, key, headers, rates)
