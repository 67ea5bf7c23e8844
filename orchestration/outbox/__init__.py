"""Work to do and messages to send as rows, so that a lost broker costs seconds and never work.

Empty so far: nothing is sent out yet. May import `workspaces` and `lib`. A row will name its task by dotted path, so
that the room need not know who wrote it.
"""
