"""Who may call an operation, worked out from its description: where credentials stand, which rule decides."""

from __future__ import annotations

from apifold.access.credentials import DEFAULT_SECURITY, Security, compile_security
from apifold.access.method import Method
from apifold.access.policy import PathRule, Policy
from apifold.description import Description, Operation
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.pipeline.gate import Gate
from apifold.routing import PLACEHOLDER


def compile_gate(description: Description, operation: Operation, method: Method, policy: Policy | None) -> Gate:
    """The gate of an operation.

    Args:
        policy: the rules in force, or None where the API has no policy file.

    Raises:
        DescriptionErrors: it is neither public nor bound to a rule, the rule is not there, or a security scheme is
            not supported.
    """
    extension = operation.extension
    rule = None if extension.public else _rule(description, operation, policy)
    return Gate(method, _security(description, operation), extension.public, rule, extension.policy)


def _rule(description: Description, operation: Operation, policy: Policy | None) -> PathRule | None:
    name = operation.extension.policy
    if policy is None:
        if not name:
            return None
        raise _refused(
            description,
            operation,
            "/x-apifold/policy",
            f"the rule {name!r} stands in no policy file",
            "put `policy.yaml` beside the description",
        )
    rules = ", ".join(policy.names)
    if not name:
        remedy = f"add `x-apifold: {{policy: RULE}}` or `x-apifold: {{public: true}}`; the rules are: {rules}"
        raise _refused(
            description, operation, "", f"{operation.title} is neither public nor bound to a policy rule", remedy
        )
    if name not in policy:
        raise _refused(
            description, operation, "/x-apifold/policy", f"the policy has no rule {name!r}", f"its rules: {rules}"
        )
    return policy.path_rule(name, tuple(PLACEHOLDER.findall(operation.path)))


def _security(description: Description, operation: Operation) -> Security:
    if operation.security is None:
        return DEFAULT_SECURITY
    try:
        return compile_security(operation.security, description.security_schemes)
    except ValueError as error:
        raise _refused(description, operation, "/security", str(error), "use another security scheme") from None


def _refused(
    description: Description, operation: Operation, below: str, message: str, remedy: str
) -> DescriptionErrors:
    error: DescriptionError = description.places.error(operation.pointer + below, message, remedy)
    return DescriptionErrors([error])
