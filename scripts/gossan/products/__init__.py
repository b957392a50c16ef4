"""Readers of the sensors' native products, one module per sensor."""
