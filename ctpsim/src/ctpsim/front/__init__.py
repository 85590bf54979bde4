"""The counter's front: who connects, what they ask, what they are told."""
