"""``python -m model_registry`` is ``model-registry``."""

from model_registry.cli import main

main()
