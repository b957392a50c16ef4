"""From a product's reflectance to a cube: corrections, composites, stacks."""
