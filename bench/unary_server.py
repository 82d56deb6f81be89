"""python -m bench.unary_server bare|bare-uvloop|podyard HOST:PORT: one handler, with or without."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import uvloop
from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

from services.common.logs import configure_logs
from services.common.server import Draining, GrpcServer, Registration

_SERVICE = "podyard.training_history.v1.TrainingHistoryService"


class _Servicer(pb_grpc.TrainingHistoryServiceServicer):
    async def GetRun(self, request: pb.GetRunRequest, context: Any) -> pb.GetRunResponse:
        return pb.GetRunResponse(run=pb.Run(run_id=request.run_id, run_name="run"))


async def serve(kind: str, listen: str) -> None:
    """Serve until killed."""
    add: Any = pb_grpc.add_TrainingHistoryServiceServicer_to_server
    if kind != "podyard":
        bare = grpc.aio.server()
        add(_Servicer(), bare)
        bare.add_insecure_port(listen)
        await bare.start()
    else:
        server = GrpcServer(listen, [Registration(_SERVICE, add, _Servicer())], Draining())
        await server.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    configure_logs("bench", "INFO")
    # Podyard's services run on asyncio's own loop, see services.common.server.run_service.
    run = uvloop.run if sys.argv[1] == "bare-uvloop" else asyncio.run
    run(serve(*sys.argv[1:3]))
