"""What MLflow shows: runs, links between them, cards and pictures."""
