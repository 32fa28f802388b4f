"""From the text of a query to its tree, by recursive descent."""

from __future__ import annotations

from functools import lru_cache

from model_registry.names import shown
from model_registry.search.fields import FIELDS, GROUPS, SYNONYMS, Keys, Kind, has_several
from model_registry.search.lexer import Token, TokenKind, tokens_of
from model_registry.search.mistakes import Source
from model_registry.search.tree import (
    And,
    Between,
    Comparison,
    Condition,
    Field,
    Like,
    Missing,
    Not,
    Or,
    Order,
    Query,
    Test,
    Value,
    Within,
)
from model_registry.search.values import DIGEST_PREFIX, value_of

#: SQLite's parser has room for a hundred symbols: each level takes three, and the innermost test up to fifty.
MAX_DEPTH = 12
MAX_TESTS = 100
MAX_VALUES = 1000
MAX_ORDERS = 8
MAX_PATTERN = 1000

_COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_KEYWORDS = frozenset(
    ["and", "or", "not", "in", "like", "is", "null", "between", "order", "by", "asc", "desc", "true", "false"]
)
_LIKE_KINDS = (Kind.TEXT, Kind.VERSION, Kind.DIGEST, Kind.ANY)


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """The tree of a query; an empty one matches every version.

    :raises InvalidQueryError: with the column of the mistake.
    """
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._source = Source(text)
        self._tokens = list(tokens_of(self._source))
        self._at = 0
        self._tests = 0

    def query(self) -> Query:
        condition = None
        if self._token.kind is not TokenKind.END and not self._sees("order"):
            condition = self._any(0)
        order = self._order() if self._takes("order") else ()
        if self._token.kind is not TokenKind.END:
            hint = "one ')' is too many" if self._sees(")") else ""
            expected = "',' or the end" if order else "'and', 'or' or 'order by'"
            raise self._mistake(f"expected {expected}, found {self._token}", hint)
        return Query(condition, order)

    # Conditions

    def _any(self, depth: int) -> Condition:
        conditions = [self._all(depth)]
        while self._takes("or"):
            conditions.append(self._all(depth))
        return Or(tuple(conditions)) if len(conditions) > 1 else conditions[0]

    def _all(self, depth: int) -> Condition:
        conditions = [self._part(depth)]
        while self._takes("and"):
            conditions.append(self._part(depth))
        return And(tuple(conditions)) if len(conditions) > 1 else conditions[0]

    def _part(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise self._mistake(f"nested more than {MAX_DEPTH} deep", "make the query flatter")
        if self._takes("not"):
            return Not(self._part(depth + 1))
        if self._takes("("):
            condition = self._any(depth + 1)
            self._expect(")", "'and', 'or' or ')'")
            return condition
        return self._test()

    def _test(self) -> Condition:
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise self._mistake(f"more than {MAX_TESTS} tests are too many", "split the query; «in» takes many values")
        field = self._field("a field")
        operator = self._next()
        if operator.text in _COMPARISONS:
            return self._comparison(field, operator)
        if self._is(operator, "is"):
            negated = self._takes("not")
            self._expect("null", "'null'" if negated else "'null' or 'not null'")
            return _negated(Missing(field), negated)
        negated = self._is(operator, "not")
        word = self._next() if negated else operator
        if self._is(word, "in"):
            return _negated(self._within(field), negated)
        if self._is(word, "like"):
            return _negated(self._like(field, word), negated)
        if self._is(word, "between"):
            return _negated(self._between(field, word), negated)
        expected = "'in', 'like' or 'between' after 'not'" if negated else f"a comparison after {shown(str(field))}"
        raise self._mistake(f"expected {expected}, found {word}", "use = != < <= > >= in, like, between or is", word)

    def _comparison(self, field: Field, operator: Token) -> Comparison:
        symbol = _COMPARISONS[operator.text]
        if symbol not in ("=", "!="):
            self._require_order(field, operator)
        token, value = self._value(field, f"'{operator.text}'")
        if symbol not in ("=", "!="):
            self._refuse_constant(value, token, operator)
        return Comparison(field, symbol, value)

    def _within(self, field: Field) -> Within:
        self._expect("(", "'(' after 'in'")
        values = [self._value(field, "'('")[1]]
        while self._takes(","):
            if len(values) == MAX_VALUES:
                raise self._mistake(f"more than {MAX_VALUES:,} values are too many", "split the query")
            values.append(self._value(field, "','")[1])
        self._expect(")", "',' or ')'")
        return Within(field, tuple(values))

    def _between(self, field: Field, word: Token) -> Between:
        self._require_order(field, word)
        token, low = self._value(field, "'between'")
        self._refuse_constant(low, token, word)
        self._expect("and", "'and' and the upper value")
        token, high = self._value(field, "'and'")
        self._refuse_constant(high, token, word)
        return Between(field, low, high)

    def _like(self, field: Field, word: Token) -> Like:
        kind = FIELDS[field.name].kind
        if kind not in _LIKE_KINDS:
            raise self._mistake(f"'like' compares texts, and {field} is none", f"it takes {kind.value}", word)
        token = self._next()
        if token.kind is not TokenKind.TEXT:
            hint = "write 'mnist%': % stands for any text, _ for any character"
            raise self._mistake(f"expected a pattern in single quotes after 'like', found {token}", hint, token)
        pattern = str(token.value)
        if len(pattern) > MAX_PATTERN:
            hint = f"use at most {MAX_PATTERN:,}"
            raise self._mistake(f"{len(pattern):,} characters are too many for a pattern", hint, token)
        if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
            raise self._mistake(f"the pattern {token} ends amid an escape", "write \\\\ for a backslash", token)
        if kind is Kind.DIGEST:
            pattern = pattern.lower().removeprefix(DIGEST_PREFIX)
        return Like(field, pattern)

    def _value(self, field: Field, after: str) -> tuple[Token, Value]:
        token = self._next()
        return token, value_of(self._source, token, field, FIELDS[field.name].kind, after)

    def _require_order(self, field: Field, operator: Token) -> None:
        if FIELDS[field.name].kind is Kind.DIGEST:
            raise self._mistake(f"{field} has no order, so {operator} means nothing", "use =, in or like", operator)

    def _refuse_constant(self, value: Value, token: Token, operator: Token) -> None:
        if isinstance(value, bool):
            raise self._mistake(f"{token} has no order, so {operator} means nothing", "use =", token)

    # Fields

    def _field(self, expected: str) -> Field:
        token = self._next()
        if token.kind is not TokenKind.WORD or token.text.lower() in _KEYWORDS:
            hint = "the field comes first, as in metrics.accuracy >= 0.97"
            raise self._mistake(f"expected {expected}, found {token}", hint, token)
        name, *keys = token.value if isinstance(token.value, tuple) else (token.text,)
        name = SYNONYMS.get(name.lower(), name.lower())
        if name in GROUPS and keys:
            name = f"{name}.{keys.pop(0).lower()}"
        spec = FIELDS.get(name)
        if spec is None:
            raise self._mistake(f"there is no field {token}", _near(name, keys, token), token)
        if spec.keys is Keys.NONE and keys:
            raise self._mistake(f"{name} has no keys, so {token} means nothing", f"write {name}", token)
        if spec.keys in (Keys.ONE, Keys.PATH) and not keys:
            raise self._mistake(f"expected a key after {token}", f"write {name}.KEY", token)
        if spec.keys in (Keys.ONE, Keys.SOME) and keys:
            keys = [".".join(keys)]
        return Field(name, tuple(keys))

    # Order

    def _order(self) -> tuple[Order, ...]:
        self._expect("by", "'by' after 'order'")
        orders = [self._order_field("'by'")]
        while self._takes(","):
            if len(orders) == MAX_ORDERS:
                raise self._mistake(f"more than {MAX_ORDERS} fields to order by are too many", "leave out the last")
            orders.append(self._order_field("','"))
        return tuple(orders)

    def _order_field(self, after: str) -> Order:
        token = self._token
        field = self._field(f"a field after {after}")
        if has_several(field):
            raise self._mistake(f"a version has several {field}, which gives no order", "order by another field", token)
        descending = self._takes("desc")
        if not descending:
            self._takes("asc")
        return Order(field, descending)

    # Tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._token
        if token.kind is not TokenKind.END:
            self._at += 1
        return token

    def _is(self, token: Token, text: str) -> bool:
        return token.kind in (TokenKind.WORD, TokenKind.SYMBOL) and token.text.lower() == text

    def _sees(self, text: str) -> bool:
        return self._is(self._token, text)

    def _takes(self, text: str) -> bool:
        found = self._sees(text)
        self._at += found
        return found

    def _expect(self, text: str, expected: str) -> None:
        if not self._takes(text):
            raise self._mistake(f"expected {expected}, found {self._token}")

    def _mistake(self, problem: str, hint: str = "", token: Token | None = None) -> Exception:
        return self._source.mistake((token or self._token).column, problem, hint)


def _near(name: str, keys: list[str], token: Token) -> str:
    """What a field that does not exist was probably meant to be."""
    from difflib import get_close_matches

    near = get_close_matches(name, [*FIELDS, *SYNONYMS], n=1)
    if near:
        takes_keys = FIELDS[SYNONYMS.get(near[0], near[0])].keys is not Keys.NONE
        return f"did you mean {shown(str(Field(near[0], tuple(keys) if takes_keys else ())))}?"
    said = token.text if len(token.text) <= 40 else "KEY"
    return f"a metric is metrics.{said}, a tag tags.{said}, and metadata of your own extra.{said}"


def _negated(test: Test, negated: bool) -> Condition:
    return Not(test) if negated else test
