"""What `/v2/example` answers."""

from apifold import Denied

FRUITS = ("banana", "strawberry")


def get_example():
    return {"message": "This is an example endpoint"}


def submit_fruit(body):
    if body["fruit"] not in FRUITS:
        raise Denied("You submitted a forbidden fruit")
    return {"message": f"Your fruit is a {body['fruit']}"}
