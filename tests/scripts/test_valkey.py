"""The embedded Valkey: behind a password that no process list shows, and forgetful."""

from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.scripts.conftest import Servers

AT_ONCE = Retry(NoBackoff(), 0)


def test_it_answers_with_the_password_only(servers: Servers) -> None:
    with redis.Redis.from_url(servers.valkey.url()) as known:
        assert known.ping()
    with (
        redis.Redis(host="127.0.0.1", port=servers.ports.valkey, retry=AT_ONCE) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_its_password_is_in_no_argument_and_no_log(servers: Servers) -> None:
    pid = servers.supervisor.process_ids()["valkey"]
    password = servers.state.password("valkey").encode()
    assert password not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert password not in Path(f"/proc/{pid}/environ").read_bytes()
    assert password not in servers.state.log_file("valkey").read_bytes()


def test_it_is_unprivileged_and_bounded(servers: Servers) -> None:
    pid = servers.supervisor.process_ids()["valkey"]
    assert Path(f"/proc/{pid}").stat().st_uid != 0
    with redis.Redis.from_url(servers.valkey.url(), decode_responses=True) as client:
        kept = client.config_get("maxmemory", "maxmemory-policy", "appendonly", "save")
    assert kept == {
        "maxmemory": str(256 * 1024 * 1024),
        "maxmemory-policy": "allkeys-lru",
        "appendonly": "no",
        "save": "",
    }
