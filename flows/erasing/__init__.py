"""What `forget` does: where a text can be, how it goes, and the proof that it went."""
