"""Changes that other replicas make, by PostgreSQL's LISTEN."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import sqlalchemy as sa
from psycopg import sql

from services.common.errors import UnavailableError
from services.common.logs import get_logger
from services.common.operations.store import CHANNEL

_CONNECT_SECONDS = 5
_RETRY_SECONDS = 1.0
# A connection that is cut off without a word is noticed within a minute.
_KEEPALIVE = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3}


async def listen(
    url: sa.URL,
    replica: str,
    on_change: Callable[[str], Awaitable[None]],
    on_gap: Callable[[], Awaitable[None]],
) -> None:
    """Until cancelled: `on_change` with the id of each operation that another replica changes.

    `on_gap` is called after each connect: changes before it were not heard.
    """
    conninfo = psycopg.conninfo.make_conninfo(
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        connect_timeout=_CONNECT_SECONDS,
        **_KEEPALIVE,
    )
    log = get_logger("operations")
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                conninfo, autocommit=True
            ) as connection:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                await on_gap()
                async for notification in connection.notifies():
                    sender, _, operation_id = notification.payload.partition(" ")
                    if sender != replica:
                        await on_change(operation_id)
        except (psycopg.OperationalError, UnavailableError) as error:
            log.warning("not hearing of other replicas' changes", error=str(error))
        await asyncio.sleep(_RETRY_SECONDS)
