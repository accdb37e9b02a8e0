"""A service: a core, and one API over it."""

from apifold import Deployment, NotFound, Service


class Shelf:
    """The core: it knows books, and no HTTP."""

    def __init__(self) -> None:
        self.books = {"emma": {"id": "emma", "title": "Emma", "pages": 432}}

    def get(self, name: str) -> dict[str, object]:
        if name not in self.books:
            raise NotFound(f"There is no book {name!r}.")
        return self.books[name]


def service(deployment: Deployment) -> Service:
    return Service(name="library", apis=("v1",), provides={"shelf": Shelf()}, discovery="shelfmarks")
