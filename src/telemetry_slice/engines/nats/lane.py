"""A lane on the servers: its stream, its consumer, and the stream of what could not be read."""

from __future__ import annotations

import json
from typing import Any

import structlog
from nats.js import api
from nats.js.errors import APIError

from ...model.errors import UnavailableError
from .connection import Session
from .safety import UnsafeQueueError
from .settings import MIB, LaneSettings

log = structlog.get_logger()

CONSUMER = "writer"
POISON_BYTES = 256 * MIB
MAX_ACK_PENDING = 4096
"""Packs that all writers together may be settling."""
_EXISTS = 10058
"""The server's code: the stream exists with another configuration."""


def stream_config(settings: LaneSettings) -> api.StreamConfig:
    """File-backed, each pack to one writer, and full means refused: nothing accepted is dropped for something newer."""
    return api.StreamConfig(
        name=settings.stream,
        description="Telemetry Slice: accepted events on their way to the store",
        subjects=[settings.subject],
        retention=api.RetentionPolicy.WORK_QUEUE,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        max_bytes=settings.max_bytes,
        max_msgs=settings.max_packs,
        max_age=0,
        num_replicas=settings.replicas,
        allow_direct=True,
    )


def _poison_config(settings: LaneSettings) -> api.StreamConfig:
    return api.StreamConfig(
        name=settings.poison_stream,
        description="Telemetry Slice: packs whose bytes are damaged, for a person to look at",
        subjects=[settings.poison_subject],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        max_bytes=min(POISON_BYTES, settings.max_bytes),
        max_age=0,
        num_replicas=settings.replicas,
    )


async def ensure_lane(session: Session, settings: LaneSettings) -> None:
    """Make what is missing and adjust what may be adjusted.

    Raises:
        UnsafeQueueError: the lane exists and cannot become safe.
        UnavailableError: the server does not answer, or has no room.
    """
    streams = session.client.jetstream(timeout=settings.timeout_s)
    try:
        await _ensure_stream(streams, stream_config(settings))
        await _ensure_stream(streams, _poison_config(settings))
        await streams.add_consumer(
            settings.stream,
            api.ConsumerConfig(
                name=CONSUMER,
                durable_name=CONSUMER,
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=settings.ack_wait_s,
                # Whether a pack can be settled is the writer's business: it buries events, never by counting tries.
                max_deliver=-1,
                max_ack_pending=MAX_ACK_PENDING,
                max_waiting=512,
            ),
        )
    except APIError as error:
        raise UnavailableError(f"the lane {settings.lane!r} cannot be prepared: {error.description}") from error


async def _ensure_stream(streams: Any, wanted: api.StreamConfig) -> None:
    try:
        info = await streams.add_stream(wanted)
    except APIError as error:
        if error.err_code != _EXISTS:
            raise
        found = (await streams.stream_info(wanted.name)).config
        fixed = [
            f"{field} is {getattr(found, field)}, not {getattr(wanted, field)}"
            for field in ("storage", "retention")
            if getattr(found, field) != getattr(wanted, field)
        ]
        if fixed:
            raise UnsafeQueueError([f"the stream {wanted.name}: {problem}" for problem in fixed]) from error
        log.warning("stream_adjusted", stream=wanted.name)
        info = await streams.update_stream(wanted)
    if info.config.persist_mode not in {None, api.PersistMode.DEFAULT}:
        raise UnsafeQueueError([f"the stream {wanted.name} acknowledges before it has written (persist_mode)"])


async def stream_state(session: Session, settings: LaneSettings) -> dict[str, Any]:
    """The stream's state with the numbers deleted within it. Raises UnavailableError."""
    answer = await session.request(
        f"$JS.API.STREAM.INFO.{settings.stream}", b'{"deleted_details":true}', settings.timeout_s
    )
    told = json.loads(answer.data)
    if "error" in told:
        raise UnavailableError(str(told["error"].get("description")))
    state: dict[str, Any] = told["state"]
    return state
