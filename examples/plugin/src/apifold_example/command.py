"""A command: `apifold books`."""

import click

from apifold_example.service import Shelf


@click.command()
def books() -> None:
    """List the books of the library."""
    for book in Shelf().books.values():
        click.echo(book["title"])
