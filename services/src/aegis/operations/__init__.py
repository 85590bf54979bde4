"""Running a desk: its processes on this machine, its state directory and its supervisor."""
