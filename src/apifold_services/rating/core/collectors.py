"""Which collector knows which metric, as operators of old noted it.

The pipeline does not ask: its one collector knows all of them.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from apifold import Database, NotFound
from apifold_services.rating.core.tables import collector_mappings, collector_states


class Collectors:
    """Notes on collectors.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def mappings(self, collector: str = "") -> dict[str, str]:
        """The collector of each metric that one was noted of."""
        statement = select(collector_mappings).order_by(collector_mappings.c.service)
        if collector:
            statement = statement.where(collector_mappings.c.collector == collector)
        with self.database.reading() as connection:
            return {row.service: row.collector for row in connection.execute(statement)}

    def of(self, service: str) -> str:
        """The collector of a metric. Raises NotFound."""
        found = self.mappings().get(service)
        if found is None:
            raise NotFound(f"No mapping for service: {service}")
        return found

    def map(self, collector: str, service: str) -> None:
        """Note the collector of a metric."""
        with self.database.writing() as connection:
            connection.execute(delete(collector_mappings).where(collector_mappings.c.service == service))
            connection.execute(insert(collector_mappings).values(service=service, collector=collector))

    def unmap(self, service: str) -> None:
        """Forget the collector of a metric. Raises NotFound."""
        self.of(service)
        with self.database.writing() as connection:
            connection.execute(delete(collector_mappings).where(collector_mappings.c.service == service))

    def is_on(self, name: str) -> bool:
        """Whether a collector was switched on."""
        with self.database.reading() as connection:
            return bool(connection.scalar(select(collector_states.c.enabled).where(collector_states.c.name == name)))

    def switch(self, name: str, enabled: bool) -> None:
        """Switch a collector on or off."""
        with self.database.writing() as connection:
            connection.execute(delete(collector_states).where(collector_states.c.name == name))
            connection.execute(insert(collector_states).values(name=name, enabled=enabled))
