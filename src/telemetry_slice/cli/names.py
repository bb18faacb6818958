"""Names in a data folder, and of the demo, that several verbs know."""

from __future__ import annotations

DEMO_FILE = "demo.json"
PLAN_FILE = "demo.plan.json"
LOCK_FILE = "lock"
DEMO_TENANT = "acme-123"
