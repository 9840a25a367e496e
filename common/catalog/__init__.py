"""Facts about the outside world: models, hosts, prices and tokens, each with its source and date."""

from common.catalog.hosts import host_at, hosts, plans
from common.catalog.models import LENT, find, find_id, is_retired, models, resolve

__all__ = ["LENT", "find", "find_id", "host_at", "hosts", "is_retired", "models", "plans", "resolve"]
