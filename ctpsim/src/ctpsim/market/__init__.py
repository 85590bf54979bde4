"""What the counter trades, and where its ticks come from."""
