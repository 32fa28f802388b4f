"""Where a client finds its token, for itself and for all that tell its user so."""

#: Says the token, if the caller does not.
TOKEN_VARIABLE = "MODEL_REGISTRY_TOKEN"  # noqa: S105 - a name
