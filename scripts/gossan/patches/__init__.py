"""Networks on patches of a mineral map."""
