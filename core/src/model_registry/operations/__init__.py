"""What a user can do, one file each. The facade (:mod:`model_registry.registry`) only names them."""
