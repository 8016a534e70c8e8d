"""Tests on what truly is a sample, and the level that holds over a schedule of them."""
