"""How right a map is: truth, spatial blocks, scores with their intervals, records."""
