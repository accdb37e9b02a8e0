"""SQL storage: collections of JSON documents, kept answers, migrations. SQLite by default, PostgreSQL by URL."""

from apifold.store import migrate
from apifold.store.database import Database
from apifold.store.documents import Collection, CollectionSpec, Document, DocumentPage, Query
from apifold.store.kept import Kept, KeptAnswers


def open_database(url: str) -> Database:
    """The database at a URL, brought to the form that this version needs."""
    database = Database(url)
    migrate.upgrade(database)
    return database


__all__ = [
    "Collection",
    "CollectionSpec",
    "Database",
    "Document",
    "DocumentPage",
    "Kept",
    "KeptAnswers",
    "Query",
    "migrate",
    "open_database",
]
