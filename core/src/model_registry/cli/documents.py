"""What ``--json`` prints: one document on stdout, in ASCII. Keys are never renamed or taken away, only added.

``register``      a *version*
``show``          a *version*, with ``files``: a list of ``path``, ``size``, ``sha256``, ``media_type``;
                  ``provenance``: ``actor``, ``user``, ``host``, ``python``, ``machine``; ``environment``: ``python``,
                  ``implementation``, ``platform``, ``machine``, ``packages``, ``git``, ``command``; both null where
                  they are not known, or damaged; ``tensors``: a list of ``name``, ``dtype``, ``shape``,
                  ``path``, ``offset``, ``nbytes``, or null if they cannot be read; ``description``, ``aliases``,
                  ``tags`` and ``parents`` as they are now; ``children``: what comes from it, a list like ``parents``;
                  ``model``: ``description`` and ``tags`` of the model itself
``compare``       ``a``, ``b``: each a *version*; ``identical``; ``metadata``, ``environment``, ``modules``: lists of
                  ``key``, ``a``, ``b``; ``metrics``: a list of ``name``, ``a``, ``b``, ``delta``; ``files``: a list of
                  ``path``, ``status``, ``a``, ``b``; ``tensors``: a list of ``name``, ``status``, ``a``, ``b``,
                  ``max_abs``, ``mean_abs``; ``notes``: a list of texts. What a side lacks is null
``list``          ``versions``: a list of *version*; ``more``: whether ``--limit`` cut it
``search``        ``versions``: a list of *version*; ``cursor``: what ``--after`` takes for the next page, or null
``history``       ``events``: a list of ``id``, ``at``, ``actor``, ``action``, ``model``, ``version``, ``subject``,
                  ``before``, ``after``; ``more``: whether ``--limit`` cut it
``lineage``       a node: ``relation``, ``name``, ``version``, ``digest``, ``state``, ``repeated``; ``parents`` and
                  ``children``: lists of nodes
``stats``         what ``get_detailed_stats`` gives
``alias set``     ``alias``, and a *version*; likewise ``alias rollback``
``alias list``    ``aliases``: versions by alias
``alias delete``  ``deleted``: the alias
``alias undo``    ``alias``; ``version``: a *version*, or null
``tag``           ``tags``: texts by key
``describe``      ``description``: a text, or null
``link``          ``parent``: ``relation``, ``name``, ``version``, ``digest``; with ``--remove`` ``unlinked``: whether
``completion``    ``shell``, ``script``
``load-check``    ``name``, ``version``; ``type`` and ``tokenizer_type``: dotted, or null; ``bytes_verified``,
                  ``seconds``
``export``        ``name``, ``version``, ``path``
``compress``      a *version*
``recommend-compression``
                  ``version``, ``size_mb``, ``latency_ms``, ``metric``; ``trials``: a list of ``type``, ``ratio``,
                  ``size_mb``, ``cosine``, ``max_abs``, ``latency_ms``, ``metric``, ``problem``; ``recommended``: a
                  type; ``kept``: a reference. What is not known is null
``copy``          ``copied``: a list of *version*; and the rest of a *batch*
``remove``        ``removed``: a list of *version*; ``restorable``: whether ``restore`` can bring them back; with
                  ``--where`` also the rest of a *batch*
``restore``       ``restored``: a list of *version*
``validate``      ``total_models``, ``valid_models``; ``findings``: a list of ``severity``, ``code``, ``where``,
                  ``message``, ``advice``; ``errors`` and ``warnings``: those of that severity, a line each
``repair``        ``done``, ``left``: lists of findings, as of ``validate``
``backup``        ``path``
``rebuild``       ``versions`` and ``removed``: how many; the ``backup`` that it began with, and where the old catalog
                  was ``moved``: paths, or null; ``changes`` made again; ``findings``
``gc``            ``versions`` forgotten, ``blobs`` unlinked, ``bytes`` freed
``plugins``       ``plugins``: a list of ``name``, ``distribution``, ``version``, ``status``, ``formats``, ``problem``
``config show``   ``settings``: values by key; with ``--origin`` as of ``config check``
``config check``  ``settings``: a list of ``key``, ``value``, ``origin``; ``mistakes``: a list of ``source``, ``line``,
                  ``key``, ``message``; ``unchecked``: why plugins could not be asked, by their names

A *version* has ``name``, ``version``, ``reference``, ``digest`` (64 hex digits), ``size`` (bytes), ``registered_at``
and ``removed_at`` (ISO 8601 in UTC, or null), and ``metadata``: every field of ``ModelMetadata``, null or empty if
unknown.

A *batch* has ``skipped``: references of what was there already; ``failed``: a list of ``what``, ``type``, ``message``,
``hint``; ``bytes``, ``seconds``, and ``dry_run``: whether nothing was changed.

A command that fails prints ``error`` instead, with ``type``, ``message``, ``hint`` and ``exit_code``, as soon as
``--json`` itself was understood.
"""

from __future__ import annotations

import json

import click

from model_registry.documents import Document, plain


def emit(document: Document) -> None:
    """Print the document."""
    click.echo(json.dumps(plain(document), indent=2))
