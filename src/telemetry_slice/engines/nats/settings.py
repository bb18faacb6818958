"""What a lane is told by the composition root."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LANE = re.compile(r"[A-Za-z0-9_-]{1,64}")
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """One lane: a stream, its consumer, and how a process speaks to them.

    Attributes:
        urls: every server, `nats://[user:password@]host:port` or `tls://…`; all are tried.
        lane: names the subject `tslice.<lane>` and the stream `tslice-<lane>`; one for each placement database.
        monitor_url: the servers' monitoring addresses (`http://host:8222`), comma-separated, one for each server.
        durability_assumed: start without looking whether the servers wait for the disk.
        replicas: copies of the stream, 1 on one server, 3 in a cluster.
        max_bytes: bytes the stream holds; above it `put` is refused. The server reserves them.
        max_packs: packs the stream holds, likewise.
        max_message_bytes: the largest message `put` is given, encoded; the server's `max_payload` must hold it.
        pack_bytes: messages are packed together up to about this many bytes.
        gather_s: packs of one gate are at least this far apart, so that what arrives meanwhile shares one.
        timeout_s: how long `put` waits, and how long any question to a server may take.
        max_waiting_bytes: encoded messages here that the stream does not keep yet; above it `put` is refused.
        ack_wait_s: a pack whose writer is silent for so long is delivered again.
        hold_s: a pack that this writer could not settle for so long is given to the other writers.
        watch_s: when nothing has come for so long, the consumer is asked whether something should have.
        recheck_s: seconds between looks for a server of the cluster that was down when the others were looked at.
    """

    urls: tuple[str, ...]
    lane: str = "shared"
    monitor_url: str | None = None
    durability_assumed: bool = False
    replicas: int = 1
    max_bytes: int = 1024 * MIB
    max_packs: int = 1_000_000
    max_message_bytes: int = MIB
    pack_bytes: int = MIB // 4
    gather_s: float = 0.003
    timeout_s: float = 5.0
    max_waiting_bytes: int = 32 * MIB
    ack_wait_s: float = 30.0
    hold_s: float = 60.0
    watch_s: float = 10.0
    recheck_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse a lane that cannot be a subject, or would be taken for another's poison."""
        if not _LANE.fullmatch(self.lane) or self.lane.endswith("-poison"):
            raise ValueError(
                f"a lane is named by up to 64 letters, digits, - and _, not ending in -poison: {self.lane!r}"
            )
        if not self.urls:
            raise ValueError("a lane needs a server")

    @property
    def monitors(self) -> list[str]:
        """The monitoring addresses, without a slash at the end."""
        return [each.strip().rstrip("/") for each in (self.monitor_url or "").split(",") if each.strip()]

    @property
    def subject(self) -> str:
        return f"tslice.{self.lane}"

    @property
    def stream(self) -> str:
        return f"tslice-{self.lane}"

    @property
    def poison_subject(self) -> str:
        return f"tslice.{self.lane}.poison"

    @property
    def poison_stream(self) -> str:
        return f"{self.stream}-poison"
