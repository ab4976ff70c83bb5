"""Load from wrk: requests, what came back, and how long it took."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.accounting import snapshot

CONNECTIONS = 32
THREADS = 1

# Prints one JSON line at the end; a create carries a new random key in every request.
_SCRIPT = """
local create = %(create)s
local batch = %(batch)d
local paths = %(paths)s
local headers = {["Authorization"] = "Bearer %(key)s", ["Content-Type"] = "application/json"}
if "%(coding)s" ~= "" then headers["Accept-Encoding"] = "%(coding)s" end
local body = [[%(body)s]]
local number = 0
function init(args) math.randomseed(os.time() * 1000 + os.clock() * 1000000) end
local function key()
  return string.format("%%08x-%%04x-4%%03x-8%%03x-%%012x", math.random(0, 0xffffffff),
    math.random(0, 0xffff), math.random(0, 0xfff), math.random(0, 0xfff),
    math.random(0, 0xffffffff) * 0xffff + math.random(0, 0xffff))
end
function request()
  number = number + 1
  if batch > 0 then
    local items = {}
    for place = 1, batch do
      items[place] = body:gsub("}$", ', "idempotency_key": "' .. key() .. '"}')
    end
    local whole = '{"payments": [' .. table.concat(items, ",") .. "]}"
    return wrk.format("POST", paths[1], headers, whole)
  end
  if create then
    headers["Idempotency-Key"] = key()
    return wrk.format("POST", paths[1], headers, body)
  end
  return wrk.format("GET", paths[number %% #paths + 1], headers)
end
function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '{"requests": %%d, "microseconds": %%d, "bad": %%d,' ..
    ' "p50": %%.3f, "p95": %%.3f, "p99": %%.3f}\\n',
    summary.requests, summary.duration, bad, latency:percentile(50) / 1000,
    latency:percentile(95) / 1000, latency:percentile(99) / 1000))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk is to send: GETs over `paths`, or creates with `body` when it is given.

    `coding` is the Accept-Encoding; wrk itself takes the bytes as they come.  `batch` of
    those creates go out in each request where it is not 0; then rate and CPU are counted by
    item, latency by request.
    """

    name: str
    paths: list[str]
    key: str = ""
    body: str = ""
    coding: str = ""
    batch: int = 0


@dataclass(frozen=True)
class Result:
    """Requests per second, latency in ms, refusals, CPU microseconds a request by process."""

    name: str
    rate: float
    p50: float
    p95: float
    p99: float
    bad: int
    cpu: dict[str, float]


def run_load(
    base_url: str, load: Load, seconds: int, process_ids: dict[str, int], connections: int
) -> Result:
    """Send `load` for `seconds` over `connections` and account for every process."""
    script = _SCRIPT % {
        "create": "true" if load.body else "false",
        "batch": load.batch,
        "paths": "{" + ", ".join(f'"{path}"' for path in load.paths) + "}",
        "key": load.key,
        "body": load.body,
        "coding": load.coding,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        before = snapshot(process_ids)
        output = _wrk(base_url, Path(file.name), seconds, connections)
        after = snapshot(process_ids)
    told = json.loads(output.strip().splitlines()[-1])
    requests = max(told["requests"], 1) * max(load.batch, 1)
    return Result(
        name=load.name,
        rate=requests / (told["microseconds"] / 1e6),
        p50=told["p50"],
        p95=told["p95"],
        p99=told["p99"],
        bad=told["bad"],
        cpu={name: (after[name] - before[name]) * 1e6 / requests for name in after},
    )


def _wrk(base_url: str, script: Path, seconds: int, connections: int) -> str:
    shape = [f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command = ["wrk", *shape, "-s", str(script), base_url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
