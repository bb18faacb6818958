"""What ends a verb with a sentence instead of a traceback."""

from __future__ import annotations


class CliError(Exception):
    """The verb cannot do what was asked; the text is for the person who asked."""

    exit_code = 1
