"""Facts about the outside world: models, hosts, prices and tokens, each with its source and date."""

from common.catalog.hosts import host_at, hosts, sells, stand_in
from common.catalog.models import find, find_id, in_window, is_retired, models, of_run, resolve

__all__ = ["find", "find_id", "host_at", "hosts", "in_window", "is_retired", "models", "of_run", "resolve", "sells", "stand_in"]
