"""Rows to train on and rows to weigh on: chosen, checked and stored."""
