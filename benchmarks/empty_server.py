"""What the collector is measured by: the same server and app, with an endpoint that does nothing.

Usage: python -m benchmarks.empty_server PORT
"""

from __future__ import annotations

import asyncio
import sys

import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response
from starlette.middleware.cors import CORSMiddleware


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_headers=["*"])

    @app.post("/v1/events")
    async def take(request: Request) -> Response:
        await request.body()
        return Response()

    config = uvicorn.Config(
        app,
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
