"""What the six exchanges trade, and when: products, their hours, and the calendar. Pure, and the same for all services."""
