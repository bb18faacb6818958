"""The composition root: settings → engines → flow → doors, and their order of starting and stopping."""

from .doors import serve, serve_watch
from .embedded import build_embedded, migrate_embedded
from .logs import set_up_logging
from .platform import Platform, Role

__all__ = ["Platform", "Role", "build_embedded", "migrate_embedded", "serve", "serve_watch", "set_up_logging"]
