"""One network over whatever sensors are there."""
