"""The service, its HTTP application, and the routes by their subject."""
