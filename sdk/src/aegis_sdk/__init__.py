"""AegisSDK: RPC, events, a service registry and single-active services on NATS."""
