"""The floor: a constant answer from the same server, and nothing else."""

import multiprocessing
import socket
import time

import uvicorn

HOST = "127.0.0.1"
START_SECONDS = 10.0
_BODY = b'{"object": "payment"}' + b" " * 700


async def _constant(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})


def _serve(port: int) -> None:
    uvicorn.run(
        _constant,
        host=HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="critical",
    )


class Floor:
    """`with Floor() as floor:` serves at `floor.url` from a process of its own, `floor.pid`."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self._port = int(probe.getsockname()[1])
        self._process = multiprocessing.Process(target=_serve, args=(self._port,), daemon=True)
        self.url = f"http://{HOST}:{self._port}"

    def __enter__(self) -> "Floor":
        self._process.start()
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self._port)) == 0:
                    return self
            time.sleep(0.05)
        raise RuntimeError("the floor did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid
