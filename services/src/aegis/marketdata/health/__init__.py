"""The subscription health agent: whether the desk gets the ticks that it wants, and what is done where it does not."""
