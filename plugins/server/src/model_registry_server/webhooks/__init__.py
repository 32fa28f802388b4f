"""Webhooks: addresses that are told of changes in the registry.

``collecting`` turns events of the history into deliveries, ``sender`` sends them until they arrive, and ``signing``
lets a receiver know that they come from here.
"""
