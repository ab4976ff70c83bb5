"""scripts/serve: starts the stack, prints the quickstart, watches until it is told to stop."""

import argparse
import re
import signal
import sys
import time
from datetime import date
from pathlib import Path
from types import FrameType
from typing import NoReturn

from scripts.launcher.bootstrap import ROOT
from scripts.launcher.console import Console, LaunchError
from scripts.launcher.house import ISO8583, Options
from scripts.launcher.quickstart import quickstart
from scripts.launcher.stack import Stack
from scripts.launcher.supervision import LONGEST_PAUSE_SECONDS

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GLANCE_SECONDS = 0.25
LARGEST_PORT = 65535
MOST_WORKERS = 32
LATENCY = re.compile(r"\d{1,5}(-\d{1,5})?")


class StopRequested(BaseException):
    """Somebody asked us to stop; whatever is under way is unwound."""


def stop_requested(number: int, frame: FrameType | None) -> NoReturn:
    ignore_stop_signals()
    raise StopRequested


def ignore_stop_signals() -> None:
    """From here on the stop is under way and must not be stopped itself."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_PORT - 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0: any free one)")
    return int(text)


def latency(text: str) -> str:
    bounds = [int(bound) for bound in text.split("-")] if LATENCY.fullmatch(text) else []
    if not bounds or bounds != sorted(bounds):
        raise argparse.ArgumentTypeError(f"{text!r} is neither MS nor A-B, as 80 or 40-120")
    return text


def workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and {MOST_WORKERS}")
    return int(text)


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/serve",
        description="Starts the whole of Paymint on loopback; Ctrl-C stops it.",
        epilog="DATABASE_URL (with VAULT_DATABASE_URL) and REDIS_URL replace the embedded servers.",
    )
    parser.add_argument("--port", type=port, default=8080, help="of the API (default 8080)")
    parser.add_argument(
        "--data", type=Path, default=ROOT / "var", metavar="DIR", help="what is kept (default var/)"
    )
    parser.add_argument("--no-redis", action="store_true", help="run in the degraded mode")
    parser.add_argument(
        "--allow-loopback-webhooks",
        action="store_true",
        help="admit http://127.0.0.1:PORT/ as a webhook's address",
    )
    parser.add_argument(
        "--network-latency",
        type=latency,
        default="0",
        metavar="MS",
        help="of the simulated card network: 80, or 40-120 (default 0)",
    )
    parser.add_argument(
        "--longest-pause",
        type=float,
        default=LONGEST_PAUSE_SECONDS,
        metavar="SECONDS",
        help="before a process that dies again and again is started anew (default %(default)s)",
    )
    parser.add_argument(
        "--networks",
        choices=("simulator", ISO8583),
        default="simulator",
        help="card networks inside the vault (default), or servers that it speaks ISO 8583 to",
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="serve https, with a certificate of an authority made for this directory",
    )
    parser.add_argument(
        "--workers", type=workers, default=1, metavar="N", help="worker processes (default 1)"
    )
    return parser.parse_args(arguments)


def options(choice: argparse.Namespace) -> Options:
    return Options(
        port=choice.port,
        redis=not choice.no_redis,
        allow_loopback_webhooks=choice.allow_loopback_webhooks,
        network_latency=choice.network_latency,
        tls=choice.tls,
        workers=choice.workers,
        networks=choice.networks,
    )


def run(stack: Stack, console: Console) -> NoReturn:
    """Serves until StopRequested is raised by a signal."""
    with stack:
        loopback = stack.options.allow_loopback_webhooks
        console.show(quickstart(stack.keys, loopback_webhooks=loopback, today=date.today()))
        if stack.options.tls:
            console.say(f"https: clients must trust {stack.state.public_authority}")
        console.say(f"keys are in {stack.state.sandbox}; live mode runs on the simulator too")
        console.say(f"ready in {console.elapsed():.1f} s: {stack.base_url} (Ctrl-C stops)")
        try:
            while True:
                time.sleep(GLANCE_SECONDS)
                stack.tend()
        finally:
            ignore_stop_signals()
            console.say("stopping")


def main(root: Path = ROOT) -> int:
    """Serves until it is told to stop; `root` is the tree whose entry files are started."""
    console = Console()
    choice = parsed(sys.argv[1:])
    for number in STOP_SIGNALS:
        signal.signal(number, stop_requested)
    try:
        stack = Stack(choice.data, options(choice), console, root, choice.longest_pause)
        run(stack, console)
    except StopRequested:
        console.say("stopped")
        return 0
    except LaunchError as reason:
        print(f"paymint: {reason}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
