"""The archive: blobs of versions that are seldom used, kept smaller in packs, and restored when they are needed.

How bytes are kept, never what they are: digests and manifests know nothing of it, and neither does the catalog.
"""
