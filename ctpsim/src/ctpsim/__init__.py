"""ctpsim: a CTP counter on this machine, for clients that know nothing of it."""
