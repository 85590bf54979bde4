"""What the trading service does with a request, a report and a doubt, once it holds an account's key."""
