"""What is wrong with replicas: asked by `tslice doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from time import monotonic

import psycopg

from .connect import CONNECT
from .positions import of_primary, of_standby
from .replicas import name_of
from .roles import API

_POLL_S = 0.05


def examine_replicas(primary_url: str, replica_urls: Sequence[str], max_lag_s: float) -> list[tuple[str, str]]:
    """(what is wrong, what to do) for each thing that is; empty when all is well, or the primary cannot be asked."""
    problems: list[tuple[str, str]] = []
    for url in replica_urls:
        try:
            with psycopg.connect(url, autocommit=True, **CONNECT) as replica:
                found = list(_problems(primary_url, replica, max_lag_s))
        except psycopg.Error as error:
            first = str(error).strip().splitlines()[0]
            found = [(f"cannot be used: {first}", "look at its address in TSLICE_REPLICA_URLS, and at its log")]
        problems += [(f"{name_of(url)} {problem}", remedy) for problem, remedy in found]
    return problems


def _problems(primary_url: str, replica: psycopg.Connection, max_lag_s: float) -> Iterator[tuple[str, str]]:
    user, delay, state = replica.execute(
        "SELECT current_user, current_setting('recovery_min_apply_delay'),"
        " CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END"
    ).fetchone() or ("", "0", None)
    if user != API:
        yield f"is used as {user}: tenants are not kept apart", f"sign in as {API}"
    try:
        with psycopg.connect(primary_url, autocommit=True, **CONNECT) as connection:
            primary = of_primary(connection)
    except psycopg.Error:
        # Told where the primary is looked at.
        return
    here = of_standby(replica)
    if here is None or here.cluster != primary.cluster:
        yield "is no standby of the primary", "name a streaming standby, or none"
        return
    if here.timeline != primary.timeline:
        yield (
            f"is on timeline {here.timeline}, the primary on {primary.timeline}",
            "let it follow the primary, then CHECKPOINT there, or make it anew",
        )
        return
    if delay != "0":
        yield f"holds every commit back for {delay}", "set recovery_min_apply_delay = 0"
    if state != "not paused":
        yield "has paused its replay", "SELECT pg_wal_replay_resume() there"
    give_up_s = monotonic() + max_lag_s
    while here is not None and here.lsn < primary.lsn:
        if monotonic() > give_up_s:
            behind = primary.lsn - here.lsn
            yield f"is {behind:,} bytes behind and answers nothing", "look at its log, its disk and its network"
            return
        Event().wait(_POLL_S)
        here = of_standby(replica)
