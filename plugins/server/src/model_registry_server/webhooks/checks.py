"""What a webhook may say: mistakes are told when it is made, not when nothing arrives."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from model_registry import InvalidOptionError
from model_registry_server.security.host_names import is_listed

#: The actions of the history.
ACTIONS = (
    "registered",
    "removed",
    "restored",
    "forgotten",
    "alias-set",
    "alias-deleted",
    "alias-undone",
    "alias-rolled-back",
    "tag-set",
    "tag-deleted",
    "described",
    "linked",
    "unlinked",
)
MOST_URL_CHARACTERS = 2000
MOST_PATTERN_CHARACTERS = 200
MOST_PATTERNS = 100


def checked_url(text: str, hosts: Sequence[str]) -> str:
    """The address, if it may be called.

    It is read by the library that will call it, so that both see the same host in it.

    :param hosts: The option ``webhook_hosts``.
    :raises InvalidOptionError: if it may not.
    """
    import httpx  # most servers have no webhooks, and do not need it

    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise _wrong_url(text, f"is no URL: {error}", "give one such as https://ci.example.com/hook") from error
    if url.scheme not in ("https", "http") or not host:
        raise _wrong_url(text, "is no address of the web", "give one such as https://ci.example.com/hook")
    if url.userinfo:
        raise _wrong_url(f"{url.scheme}://…@{host}", "holds a password", "receivers know the server by its signature")
    if url.fragment or len(text) > MOST_URL_CHARACTERS or not text.isprintable():
        hint = f"give at most {MOST_URL_CHARACTERS:,} characters, without #"
        raise _wrong_url(text, "holds what cannot be sent", hint)
    if not is_listed(host, hosts):
        hint = "whoever runs the server may add the host to webhook_hosts of [plugins.server] in registry.toml"
        raise _wrong_url(text, f"leads to {host!r}, which webhooks may not call", hint)
    return str(url)


def checked_events(patterns: Sequence[str]) -> tuple[str, ...]:
    """Actions, or patterns of them.

    :raises InvalidOptionError: for one that fits no action.
    """
    for pattern in _checked("events", patterns):
        if not any(fnmatchcase(action, pattern) for action in ACTIONS):
            near = get_close_matches(pattern, ACTIONS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"use '*', or of {', '.join(ACTIONS)}"
            raise InvalidOptionError(f"there is no event {pattern!r}", hint=hint, option="events")
    return tuple(dict.fromkeys(patterns))


def checked_models(patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns of names.

    :raises InvalidOptionError: for one that cannot be.
    """
    return tuple(dict.fromkeys(_checked("models", patterns)))


def _checked(option: str, patterns: Sequence[str]) -> Sequence[str]:
    if not 0 < len(patterns) <= MOST_PATTERNS:
        hint = f"give 1 to {MOST_PATTERNS}; ['*'] stands for all"
        raise InvalidOptionError(f"a webhook cannot have {len(patterns)} {option}", hint=hint, option=option)
    for pattern in patterns:
        if not (0 < len(pattern) <= MOST_PATTERN_CHARACTERS and pattern.isprintable() and pattern.strip()):
            hint = f"use 1 to {MOST_PATTERN_CHARACTERS} printable characters"
            raise InvalidOptionError(f"{pattern[:50]!r} cannot be among {option}", hint=hint, option=option)
    return patterns


def _wrong_url(text: str, problem: str, hint: str) -> InvalidOptionError:
    return InvalidOptionError(f"the url {text!r:.200} {problem}", hint=hint, option="url")
