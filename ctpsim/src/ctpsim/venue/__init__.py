"""The exchange behind the front: orders, fills, accounts. Pure."""
