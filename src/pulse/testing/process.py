"""`pulse.processes` for tests: a server in a process of its own, and a free port."""

from pulse.processes import MissingProgramError, Server, ServerError, free_port

__all__ = ["MissingProgramError", "Server", "ServerError", "free_port"]
