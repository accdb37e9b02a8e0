"""A dialect: faults in one line of text."""

from apifold import Fault, Request, Response, headers_of, status_of


class Terse:
    """`errors: terse`."""

    def render(self, fault: Fault, request: Request) -> Response:
        text = f"{fault.title}: {fault.detail}\n".encode()
        return Response(status_of(fault), text, (("Content-Type", "text/plain; charset=utf-8"), *headers_of(fault)))
