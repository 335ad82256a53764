"""Who people are: users with a password, and whom a trusted proxy has let in.

- `users`: the users that there are, kept in a compacted topic
- `passwords`: how a password is kept, and whether one is right
- `proxy`: the headers of a trusted proxy

`pulse.web.access` asks here; the command line makes users.
"""
