"""The embedded engine: SQLite through apsw, the only SQLite library of the process."""
