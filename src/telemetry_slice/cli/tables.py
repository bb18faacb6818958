"""Answers as tables for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = dict[str, Any]


def cell(value: Any) -> Text:
    """A value as a person reads it."""
    if value is None or value == "":
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(", ".join(str(item) for item in value))
    if isinstance(value, dict):
        return Text(", ".join(f"{name} {item}" for name, item in value.items() if item is not None) or "–")
    text = str(value)
    if len(text) == 27 and text.endswith("Z") and text[10] == "T":
        return Text(text[:19].replace("T", " ") + "Z")
    return Text(text)


def show_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show_rows(rows: Iterable[Row], columns: Sequence[tuple[str, str]], *, as_json: bool, nothing: str) -> None:
    """Print rows; `columns` are (field, heading), `nothing` stands in for an empty table."""
    found = list(rows)
    if as_json:
        show_json(found)
        return
    console = Console()
    if not found:
        console.print(nothing, markup=False)
        return
    if not console.is_terminal:
        # A pipe has no width: rows stay whole, columns are separated by tabs.
        print("\t".join(field for field, _ in columns))
        for row in found:
            print("\t".join(cell(row.get(field)).plain for field, _ in columns))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for _, heading in columns:
        table.add_column(heading, overflow="fold")
    for row in found:
        table.add_row(*(cell(row.get(field)) for field, _ in columns))
    console.print(table)
