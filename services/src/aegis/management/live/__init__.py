"""Live data: tables that change, and whoever follows them, each at his own pace.

A topic is a table of rows. Each change of a row gets the topic's next sequence; a follower remembers the last sequence
that he has got, and nothing else is kept for him. So what he gets ten times a second is what has changed since, and who
is slow gets less often more: conflated, never queued.
"""
