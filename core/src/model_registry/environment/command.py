"""The command that this process was started with, without the secrets on it."""

from __future__ import annotations

import re
import sys
from itertools import pairwise

MASK = "***"
_MOST_WORDS = 100
_LONGEST_WORD = 300

#: Words of an option's name that announce a secret. «tokenizer» and «tokens» announce none.
_SECRETS = frozenset(
    {"token", "password", "passwd", "passphrase", "pwd", "secret", "secrets", "apikey", "credential", "credentials"}
    | {"auth", "authorization", "bearer"}
)
_SECRET_PAIRS = frozenset({("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key")})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_IN_A_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def command() -> list[str]:
    """``sys.argv`` with the values of options such as ``--token`` masked, and as long as a command is."""
    words: list[str] = []
    masking = False
    for word in getattr(sys, "argv", [])[:_MOST_WORDS]:
        word = _plain(str(word))
        words.append(MASK if masking and not word.startswith("--") else _masked(word))
        masking = word.startswith("-") and "=" not in word and _is_secret(word)
    return words


def _plain(word: str) -> str:
    """UTF-8 can hold it: names of files may be any bytes."""
    return word.encode("utf-8", "backslashreplace").decode()


def _masked(word: str) -> str:
    name, equals, _ = word.partition("=")
    if equals and _is_secret(name):
        return f"{name[:_LONGEST_WORD]}={MASK}"
    word = _IN_A_URL.sub(MASK, word)
    return word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}…"


def _is_secret(name: str) -> bool:
    """Whether an option's name announces one: ``--api-key``, ``hf_token``, ``wandb.apiKey``."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _SECRETS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairwise(words))
