"""A desk behind vnpy: `AegisGateway`, so that strategies and the terminal of vnpy run on it unchanged.

vnpy calls from threads of its own and waits for nothing; the desk is one event loop. So a gateway that is connected has
a thread with a loop, requests are put into that, and what the desk tells goes into vnpy's event engine. docs/vnpy.md.
"""

from aegis.bridge.gateway import AegisGateway

__all__ = ["AegisGateway"]
