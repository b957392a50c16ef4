"""Forests of decision trees: features, training, kernel, choice between plans and tests."""
