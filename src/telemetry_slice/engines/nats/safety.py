"""Whether the servers keep what they acknowledge: asked before a lane is used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from ...model.errors import UnavailableError
from .envelope import PACK_BYTES
from .settings import LaneSettings

OLDEST = (2, 15)
"""Older servers have lost whole streams, or sync twice for one pack."""


class UnsafeQueueError(Exception):
    """The servers would acknowledge what they may lose, or cannot take what a gate may send.

    Attributes:
        problems: a sentence each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Look:
    """What the monitoring endpoints of the servers have told.

    Attributes:
        problems: a sentence each; empty when all is well with those that answered.
        silent: what those are told as that did not answer.
        connected: whether the server that a client speaks to is among those that answered.
    """

    problems: Sequence[str]
    silent: Sequence[str] = ()
    connected: bool = True


async def check_servers(settings: LaneSettings, connected_to: str | None = None) -> Look:
    """What is wrong with the servers, as their monitoring endpoints tell it.

    Args:
        settings: names the endpoints.
        connected_to: the id of the server that a client speaks to; it must be one of those asked, if all answer.
    """
    if settings.monitor_url is None:
        if settings.durability_assumed:
            return Look([])
        return Look(["no monitoring address is given, so whether the servers wait for the disk cannot be seen"])
    problems: list[str] = []
    silent: list[str] = []
    ids: set[str] = set()
    cluster = 1
    async with httpx2.AsyncClient(timeout=settings.timeout_s, trust_env=False) as http:
        for address in settings.monitors:
            try:
                told = await _ask(http, address)
            except UnavailableError as error:
                silent.append(str(error))
                continue
            ids.add(str(told.get("server_id")))
            cluster = max(cluster, _size(told))
            problems += [f"{address}: {problem}" for problem in server_problems(told, settings)]
    if len(ids) + len(silent) < cluster:
        named = len(ids) + len(silent)
        problems.append(f"{named} of the {cluster} servers of the cluster have a monitoring address here")
    connected = connected_to is None or connected_to in ids
    if not connected and not silent:
        problems.append("the server that answers is none of those whose monitoring addresses are given")
    return Look(problems, silent, connected)


def server_problems(told: dict[str, Any], settings: LaneSettings) -> list[str]:
    """What is wrong with one server that answered `/varz` with `told`."""
    problems = []
    version = re.match(r"(\d+)\.(\d+)", str(told.get("version")))
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        problems.append(f"nats-server {told.get('version')} is older than {'.'.join(map(str, OLDEST))}")
    config = (told.get("jetstream") or {}).get("config")
    if not config:
        problems.append("JetStream is not enabled")
    elif config.get("sync_always") is not True:
        problems.append(
            f"sync_interval is {config.get('sync_interval', 0) / 1e9:g} s and must be always:"
            " it acknowledges what is not on the disk"
        )
    payload = told.get("max_payload", 0)
    if (short := payload_problem(payload, settings)) is not None:
        problems.append(short)
    return problems


def payload_problem(max_payload: int, settings: LaneSettings) -> str | None:
    """What is wrong if the largest pack does not fit into one payload."""
    needed = max(settings.max_message_bytes, settings.pack_bytes) + PACK_BYTES
    if max_payload >= needed:
        return None
    return f"max_payload is {max_payload} and must be at least {needed}: a full request would not fit"


def _size(told: dict[str, Any]) -> int:
    meta = (told.get("jetstream") or {}).get("meta") or {}
    return int(meta.get("cluster_size") or 1)


async def _ask(http: httpx2.AsyncClient, address: str) -> dict[str, Any]:
    try:
        answer = await http.get(f"{address}/varz")
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise UnavailableError(f"the monitoring address {address} does not answer: {error}") from error
    return told
