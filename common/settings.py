"""What the environment says: .env, keys, addresses, folders. A key leaves here only into a provider's headers."""

from __future__ import annotations

import ipaddress
import math
import os
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import load_dotenv

from common.errors import InputError
from common.text import one_line

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_MAX_COST = 10.0


def load_env() -> str:
    """Read .env beside the scripts; what the environment already says wins. Returns a warning, "" if there is none.

    A relative RESULTS_DIR in it is meant from its own folder: a terminal and cron must not have two journals.
    Raises InputError where it cannot be read.
    """
    file = ROOT / ".env"
    was_set = "RESULTS_DIR" in os.environ
    try:
        load_dotenv(file)
        mode = file.stat().st_mode if file.is_file() else 0
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from None
    if not was_set and "://" not in (folder := os.environ.get("RESULTS_DIR", "")) and folder:
        os.environ["RESULTS_DIR"] = str(ROOT / Path(folder).expanduser())
    return f"{file} can be read by other users of this machine; type: chmod 600 {file}" if mode & 0o077 else ""


def results_path(option: str | None) -> Path:
    """Where results go: --results, else RESULTS_DIR, else results/ beside the scripts. Raises InputError for an address."""
    named = option or os.environ.get("RESULTS_DIR") or ROOT / "results"
    if "://" in str(named):
        raise InputError(f"{one_line(named, 200)}: results stay on this machine's disk; name a folder (make backup OUT=… takes an address)")
    return Path(named).expanduser().absolute()


def max_cost(option: float | None) -> float:
    """The spending cap in USD: --max-cost, else MAX_COST_USD, else 10."""
    return _amount("MAX_COST_USD", os.environ.get("MAX_COST_USD", ""), DEFAULT_MAX_COST) if option is None else option


def monthly_cap() -> float:
    """The spending cap in USD of a calendar month: MONTHLY_CAP_USD, else none (infinite)."""
    return _amount("MONTHLY_CAP_USD", os.environ.get("MONTHLY_CAP_USD", ""), math.inf)


def agents_max_cost() -> float | None:
    """USD that agents may spend in all, MCP_MAX_COST_USD; None where no person has said so."""
    return _amount("MCP_MAX_COST_USD", os.environ.get("MCP_MAX_COST_USD", ""), None)


def keep_days(name: str) -> float | None:
    """How many days something is kept: KEEP_RAW_DAYS or KEEP_REMOTE_DAYS; None where it is not set: for ever. Raises InputError."""
    return _amount(name, os.environ.get(name, ""), None, "a number of days such as 30, or nothing to keep for ever")


def _amount(variable: str, text: str, default: float | None, expected: str = "an amount in USD such as 10") -> float | None:
    if not (text := text.strip()):
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise InputError(f"{variable} is {text!r}; expected {expected}")
    return value


def dashboard_password() -> str:
    """DASHBOARD_PASSWORD; "" where none is set. Raises InputError for one that is guessed too soon."""
    password = os.environ.get("DASHBOARD_PASSWORD", "").strip()
    if password and len(password) < 8:
        raise InputError("DASHBOARD_PASSWORD is too short; take 8 characters or more")
    return password


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine."""
    ip = _ip(url)
    return ip is not None and ip.is_loopback


def is_private(url: str) -> bool:
    """Whether an address is an IP of this machine or of a private network; a name may be anybody's, but for localhost."""
    ip = _ip(url)
    return ip is not None and ip.is_private and not ip.is_unspecified


def _ip(url: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    name = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        return None
