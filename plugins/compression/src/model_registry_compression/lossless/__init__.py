"""Pieces of files made smaller without losing a bit: tensors by what their numbers are, anything else by zstd."""
