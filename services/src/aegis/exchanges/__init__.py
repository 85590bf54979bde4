"""What the six exchanges trade, and when: products, their hours, and the calendar. Pure, for all services the same."""
