"""What every CTP adapter shares: one login as a process of its own, how it comes up, and what its failures mean.

It knows neither market data nor orders: an adapter has the program of its sessions, and its frames.
"""
