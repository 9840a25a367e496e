"""What the environment says: .env, keys, addresses, folders. A key leaves here only into a provider's headers."""

from __future__ import annotations

import ipaddress
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


def results_folder(option: str | None) -> Path:
    """Where results go: --results, else RESULTS_DIR, else results/ beside the scripts. Raises InputError for an address."""
    named = option or os.environ.get("RESULTS_DIR") or ROOT / "results"
    if "://" in str(named):
        raise InputError(f"{one_line(named, 200)}: results stay on this machine's disk; name a folder (make backup OUT=… takes an address)")
    return Path(named).expanduser().absolute()


def max_cost(option: float | None) -> float:
    """The spending cap in USD: --max-cost, else MAX_COST_USD, else 10."""
    if option is not None:
        return option
    text = os.environ.get("MAX_COST_USD", "").strip()
    try:
        value = float(text) if text else DEFAULT_MAX_COST
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError(f"MAX_COST_USD is {text!r}; expected an amount in USD such as 10")
    return value


def keep_days(name: str) -> float | None:
    """How many days something is kept: KEEP_RAW_DAYS or KEEP_REMOTE_DAYS; None where it is not set: for ever. Raises InputError."""
    text = os.environ.get(name, "").strip()
    try:
        days = float(text) if text else None
    except ValueError:
        days = -1.0
    if days is not None and not 0 <= days < float("inf"):
        raise InputError(f"{name} is {text!r}; expected a number of days such as 30, or nothing to keep for ever")
    return days


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine."""
    name = urlsplit(url).hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
