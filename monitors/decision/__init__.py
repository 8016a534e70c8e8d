"""What drift asks for: levels, what holds back, what it costs, and the words of a reason."""
