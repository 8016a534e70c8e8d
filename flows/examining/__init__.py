"""What `verify`, its repair and `doctor` look at."""
