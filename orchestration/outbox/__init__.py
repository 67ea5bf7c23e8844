"""Work to do and messages to send, as rows: made in the transaction of their cause, so that a lost queue costs seconds.

A message is delivered once for each receiver: its key is unique there, and the receiver is told the same id at every
try. In transport it is at least once: pending, claimed (a lease with a fencing number), then done, failed (tried again
for about a day) or dead, which people see and may send again.

Files, in the order a message takes: `endpoints` who wants to be told, `send` makes the rows, `sweep` claims and
finishes them, `targets` where a URL may lead, `webhooks` signs and posts,
`mail` mails, `own` are addresses of single agents. A row holds what is said, so this room need
not know who says it. May import `workspaces`, `lib`.
"""
