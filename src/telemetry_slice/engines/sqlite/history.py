"""The books over time. Read beside the writer: a long history holds no append up."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, text

from ...model.books import BooksStep, steps_of
from ...model.events import TenantNo
from ..sql.readers import TenantReaders

_HISTORY = text("""
    SELECT json_group_array(json_array(start, entry, code, count)) FROM (
        SELECT :from_us + (minute_us - :from_us) / :step_us * :step_us AS start, entry, code, sum(count) AS count
        FROM book_counts WHERE tenant_no = :tenant AND minute_us >= :from_us AND minute_us < :to_us GROUP BY 1, 2, 3
        UNION ALL
        SELECT :from_us + (minute_us - :from_us) / :step_us * :step_us, 'announced', '', sum(total)
        FROM gate_minutes WHERE tenant_no = :tenant AND minute_us >= :from_us AND minute_us < :to_us GROUP BY 1
    )
""")


async def read(readers: TenantReaders, tenant: TenantNo, from_us: int, to_us: int, step_us: int) -> Sequence[BooksStep]:
    """Counts by received time, in steps counted from `from_us`."""
    span = {"tenant": tenant, "from_us": from_us, "to_us": to_us, "step_us": step_us}

    def work(connection: Connection) -> Sequence[BooksStep]:
        return steps_of(json.loads(connection.execute(_HISTORY, span).scalar_one()))

    return await readers.run(tenant, work)
