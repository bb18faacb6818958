"""`tslice books` and `tslice dead-letters`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from .client import Api, Json
from .failure import CliError
from .tables import show_json, show_rows

LETTER_COLUMNS = (
    ("id", "ID"),
    ("reason", "REASON"),
    ("deviceId", "DEVICE"),
    ("eventId", "EVENT"),
    ("receivedAt", "RECEIVED"),
    ("state", "STATE"),
    ("detail", "DETAIL"),
)


async def show_books(api: Api, from_: str | None, to: str | None, *, as_json: bool) -> int:
    """Print the books; 0 if they balance, 1 if not."""
    books = await api.call("GET", "/api/v1/books", params={"from": from_, "to": to})
    if as_json:
        show_json(books)
    else:
        print_books(books)
    return 0 if books["balanced"] else 1


def print_books(books: Json) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("entry")
    table.add_column("count", justify="right")
    rejected, dead = books["rejected"], books["dead"]

    def entry(name: str, count: int, parts: dict[str, Any] | None = None) -> None:
        table.add_row(name, f"{count:,}")
        for part, number in (parts or {}).items():
            table.add_row(f"    {part}", f"{number:,}")

    entry("received", books["received"])
    entry("  rejected", sum(rejected.values()), rejected)
    entry("  accepted", books["accepted"])
    entry("    stored", books["stored"])
    entry("    duplicate", books["duplicate"])
    entry("    dead", sum(dead.values()), {f"  {reason}": n for reason, n in dead.items()})
    entry("    in flight", books["inFlight"])
    console = Console()
    console.print(table)
    if books["balanced"]:
        console.print("the books balance")
    else:
        console.print("[bold red]the books do not balance[/]: something was lost or counted twice; please report it")


async def list_letters(api: Api, reason: str | None, limit: int, *, as_json: bool) -> None:
    params = {"reason": reason, "limit": min(limit, 1000)}
    letters = await api.pages("/api/v1/dead-letters", "deadLetters", params, at_most=limit)
    show_rows(letters, LETTER_COLUMNS, as_json=as_json, nothing="no dead letters")


async def replay_letters(api: Api, ids: Sequence[int], reason: str | None, *, every: bool) -> int:
    """Replay letters by id, by reason, or all; 0 if none died again."""
    if sum((bool(ids), reason is not None, every)) != 1:
        raise CliError("say which: letter ids, --reason, or --all")
    body: Json = {"ids": list(ids)} if ids else {"reason": reason} if reason else {}
    totals = {"stored": 0, "duplicate": 0, "dead": 0}
    answer = (await api.call("POST", "/api/v1/dead-letters/replay", json=body))["replayed"]
    for outcome in totals:
        totals[outcome] += answer.get(outcome, 0)
    print(", ".join(f"{outcome} {count}" for outcome, count in totals.items()))
    return 1 if totals["dead"] else 0


async def discard_letters(api: Api, ids: Sequence[int]) -> None:
    for letter_id in ids:
        await api.call("DELETE", f"/api/v1/dead-letters/{letter_id}")
        print(f"discarded {letter_id}")
