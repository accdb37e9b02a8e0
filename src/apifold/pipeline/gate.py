"""Gate: who may come in."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass

from apifold.access.credentials import Security
from apifold.access.method import Method
from apifold.access.policy import PathRule
from apifold.errors import Denied, Invalid, Unauthenticated
from apifold.exchange import NOBODY, Caller, Exchange

_NO_SCOPES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may call an operation.

    Attributes:
        method: checks credentials.
        security: where the credential stands.
        public: whether nobody needs to be known.
        rule: decides about whoever is known; None where everybody may.
        rule_name: what the description calls it.
        names_project: whether the path names a project in front of everything, which must be the caller's.
    """

    method: Method
    security: Security
    public: bool
    rule: PathRule | None
    rule_name: str
    names_project: bool = False

    def admit(self, exchange: Exchange) -> Awaitable[None] | None:
        """Identify who is asking, and see whether he may; something to await where that takes time.

        Raises:
            Unauthenticated: nobody, where somebody is needed; or somebody who can't prove it.
            Denied: the scopes or the rule that the description names do not let the caller do this.
            Invalid: the path names another project than the caller's.
        """
        request = exchange.request
        if self.names_project:
            exchange.project, *exchange.captured = exchange.captured
        for alternative in self.security.alternatives:
            credential = alternative.find(request)
            if credential:
                caller = self.method.identify(credential)
                scopes = alternative.scopes
                break
        else:
            caller, scopes = self._stranger(), _NO_SCOPES
        if not isinstance(caller, Caller):
            return self._admit_later(exchange, caller, scopes)
        self._permit(exchange, caller, scopes)
        return None

    async def _admit_later(self, exchange: Exchange, caller: Awaitable[Caller], scopes: frozenset[str]) -> None:
        self._permit(exchange, await caller, scopes)

    def _permit(self, exchange: Exchange, caller: Caller, scopes: frozenset[str]) -> None:
        exchange.caller = caller
        if exchange.project and exchange.project != caller.project:
            raise Invalid(f"Malformed request URL: its project {exchange.project} is not {caller.project}, yours.")
        if scopes and not scopes <= caller.scopes and not self.method.open:
            raise Denied(f"This needs the scope {', '.join(sorted(scopes - caller.scopes))}.")
        if self.rule is not None and not self.rule(caller, exchange.captured):
            raise Denied(rule=self.rule_name)

    def _stranger(self) -> Caller | Awaitable[Caller]:
        """Who somebody without a credential is."""
        if self.method.open:
            return self.method.identify("")
        if self.public or self.security.optional:
            return NOBODY
        raise Unauthenticated(challenge=self.method.challenge)
