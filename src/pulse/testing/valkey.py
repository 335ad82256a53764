"""A real Valkey (the Redis protocol) in a process of its own, keeping nothing on disk.

with ValkeyServer(folder) as valkey:
    client = redis.Redis.from_url(valkey.url)

Empty after every `restart`, since what Redis holds can be made again.
"""

from pulse.embedded import Valkey as ValkeyServer
from pulse.embedded import valkey_program

__all__ = ["ValkeyServer", "valkey_program"]
