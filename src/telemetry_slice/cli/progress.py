"""Progress of a long transfer: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 5.0


class Meter(Protocol):
    """Shows how far a transfer is."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def moved(self, done: int) -> None:
        """`done` of the total are through."""

    def say(self, text: str) -> None:
        """Why nothing moves; empty when it does."""


class Lines:
    """Plain lines for logs and pipes: one every few seconds, and each new reason for waiting once."""

    def __init__(self, console: Console, total: int, unit: str) -> None:
        self._console, self._total, self._unit = console, total, unit
        self._last_line = time.monotonic()
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def moved(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            self._console.print(f"{done} of {self._total} {self._unit}", highlight=False)

    def say(self, text: str) -> None:
        reason = text.partition(";")[0]
        if reason and reason != self._said:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        self._said = reason


class Bar:
    """A progress bar with a line for what is being waited for."""

    def __init__(self, console: Console, total: int, unit: str) -> None:
        self._progress = Progress(
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("[yellow]{task.fields[status]}", markup=True),
            console=console,
            transient=False,
        )
        self._task: TaskID = self._progress.add_task(unit, total=total, status="", rate="")
        self._started = time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def moved(self, done: int) -> None:
        if self._first is None:
            self._first, self._started = done, time.monotonic()
        elapsed = time.monotonic() - self._started
        rate = f"{(done - self._first) / elapsed:,.0f}/s" if elapsed > 0.5 else ""
        self._progress.update(self._task, completed=done, rate=rate)

    def say(self, text: str) -> None:
        self._progress.update(self._task, status=text.replace("[", "\\["))


def meter(console: Console, total: int, unit: str) -> Meter:
    """A bar if `console` is a terminal, else lines."""
    return Bar(console, total, unit) if console.is_terminal else Lines(console, total, unit)
