"""Every metric's name. Log events are named where they happen; fields: tenant_no, device_no, events, error, retry_s."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ACCEPTED_EVENTS = Counter("tslice_ingest_accepted_events_total", "Events acknowledged by the gate")
REJECTED_EVENTS = Counter("tslice_ingest_rejected_events_total", "Events or requests refused by the gate", ["code"])
INGEST_REQUESTS = Counter("tslice_ingest_requests_total", "Ingest requests by answer", ["status"])
INGEST_SECONDS = Histogram(
    "tslice_ingest_seconds",
    "Time from a whole body to the answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
UNKNOWN_FIELDS = Counter("tslice_ingest_unknown_fields_total", "Unknown fields that were ignored")
INFLIGHT_BYTES = Gauge("tslice_ingest_inflight_bytes", "Decoded bytes of requests being worked on")

APPEND_SECONDS = Histogram(
    "tslice_append_seconds",
    "Time of one storing transaction as the writer sees it",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_SETTLED = Counter("tslice_settled_events_total", "Settled events by outcome", ["outcome"])
SETTLED = tuple(_SETTLED.labels(outcome) for outcome in ("stored", "duplicate", "dead"))
"""By the value of `Outcome`."""
WRITER_PAUSED = Gauge("tslice_writer_paused", "1 while the writer buries nothing because the store itself is suspect")

QUEUE_PACKS = Counter("tslice_queue_packs_total", "Packs of messages that the queue's servers keep")
QUEUE_PUBLISH_SECONDS = Histogram(
    "tslice_queue_publish_seconds",
    "Time from sending a pack to the servers' acknowledgement",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
QUEUE_POISONED = Counter("tslice_queue_poisoned_packs_total", "Packs whose bytes were damaged, kept aside")
QUEUE_STALLS = Counter("tslice_queue_stalls_total", "Pulls from the queue that went silent and were begun anew")

LIVE_SOCKETS = Gauge("tslice_live_sockets", "Open live connections")
LIVE_DROPPED = Counter("tslice_live_dropped_total", "Live connections closed because their reader was too slow")

NEWS_GAPS = Counter("tslice_news_gaps_total", "Times that news of a tenant may have been missed by this process")
NEWS_DROPPED = Counter("tslice_news_dropped_total", "Messages whose news this process could not tell the others")
REDIS_AWAY = Gauge("tslice_redis_away", "1 while a part of this process does without Valkey or Redis", ["part"])

KEYS_EXPIRING = Gauge(
    "tslice_keys_expiring",
    "Keys that end within TSLICE_KEY_WARNING_DAYS and are followed by none, as the scheduler counts them",
)

AUDIT_LOST = Counter("tslice_audit_lost_total", "Entries of the audit that could not be written down")

DISK_FREE_BYTES = Gauge("tslice_disk_free_bytes", "Free bytes of the data folder's disk")
INGEST_CLOSED = Gauge("tslice_ingest_closed", "1 while ingest is refused because the disk is nearly full")
EXPIRED_EVENTS = Counter("tslice_retention_deleted_events_total", "Readings deleted by retention")

READS = Counter("tslice_reads_total", "Reads of telemetry that a node answered, with replicas configured", ["node"])
READ_FALLBACKS = Counter(
    "tslice_read_fallbacks_total", "Reads that the primary answered instead of a replica, by reason", ["reason"]
)
REPLICA_SERVES = Gauge("tslice_replica_serves", "1 while a replica answers reads of this process", ["replica"])
REPLICA_LAG = Gauge("tslice_replica_lag_seconds", "How long ago the primary was where a replica is now", ["replica"])
