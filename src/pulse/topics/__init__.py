"""The topics pulse needs, and how those on the brokers are brought there.

- `wanted`: which topics, with which settings, and why
- `plan`: what is missing or different
- `broker`: looking at the brokers and changing them
- `cost`: what the ticks take on disk
- `records`: what the records of each topic are

`pulse topics` and whoever needs the topics to be there (`pulse emit`, the demo) use this.
"""
