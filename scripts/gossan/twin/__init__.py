"""The twin: a simulated ground with known truth, written as sensors' native products."""
