"""An action: the core counts pages, the API tells sheets."""


class Sheets:
    """`sheets`: pages in the core, sheets of paper in the API."""

    @staticmethod
    def lower(pages: int) -> int:
        return (pages + 1) // 2

    @staticmethod
    def lift(sheets: int) -> int:
        return sheets * 2
