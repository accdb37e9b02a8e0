"""An auth method: who wears a badge is let in, and nobody asks how they came by it."""

from apifold import Caller, Deployment, Unauthenticated


class Badge:
    """`auth: badge`: the credential is the name on the badge."""

    name = "badge"
    challenge = "Bearer"
    open = False

    def __init__(self, deployment: Deployment) -> None:
        pass

    def identify(self, credential: str) -> Caller:
        if not credential.isalpha():
            raise Unauthenticated("A badge has a name on it.", self.challenge)
        return Caller(credential, roles=frozenset(("reader",)))
