"""One detector a file: formula, parameters, example, reference. All return a share, 0..1."""
