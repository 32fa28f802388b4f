"""Smaller models whose results differ a little: what they are stored as, and how each framework's are made."""
