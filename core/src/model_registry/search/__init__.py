"""The language of searches: its text, and the tree that a text means.

::

    query      = [condition] ["order" "by" order {"," order}]
    condition  = all {"or" all}
    all        = part {"and" part}
    part       = "not" part | "(" condition ")" | test
    test       = field ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") value
               | field ["not"] "in" "(" value {"," value} ")"
               | field ["not"] "like" text
               | field ["not"] "between" value "and" value
               | field "is" ["not"] "null"
    order      = field ["asc" | "desc"]
    field      = word {"." (key | '"' key '"')}
    value      = text | number | "true" | "false"

:mod:`~model_registry.search.fields` lists the fields; ``docs/reference/search.md`` explains the language to users.
What a tree means for the tables is the catalog's affair, and for a metadata document that of
:mod:`~model_registry.search.documents`.
"""

from model_registry.search.parser import parse as parse
from model_registry.search.printer import text_of as text_of
from model_registry.search.tree import Query as Query
from model_registry.search.tree import fields_of as fields_of
from model_registry.search.tree import metrics_of as metrics_of
