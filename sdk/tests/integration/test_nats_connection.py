"""The connection over a real server that is killed, paused and restarted under it."""

import asyncio
from contextlib import AsyncExitStack, suppress
from itertools import pairwise
from statistics import median
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from aegis_sdk.errors import CodecError, ConnectionUnavailable, DeadlineExceeded
from aegis_sdk.messages import Message
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.testing import NatsAccess, nats_server
from aegis_sdk.transport import ConnectionState, StreamConfig
from aegis_sdk.transport_nats import NatsTransport, streams
from aegis_sdk.transport_nats.session import Session

DEADLINE_S = 60.0
LOST_S = 3.0
"""Less than any of those questions waits for its answer by itself."""
READ_S = 5.0


async def connect(server: EmbeddedServer) -> NatsTransport:
    user = server.credentials
    return await NatsTransport.connect(server.urls, user=user.user, password=user.password)


def states_of(transport: NatsTransport) -> asyncio.Queue[ConnectionState]:
    seen: asyncio.Queue[ConnectionState] = asyncio.Queue()
    transport.on_state(seen.put_nowait)
    return seen


async def test_a_killed_server_is_reported_and_found_again_with_all_subscriptions() -> None:
    async with nats_server() as server, asyncio.timeout(DEADLINE_S):
        transport = await connect(server)
        states = states_of(transport)
        arrived: asyncio.Queue[Message] = asyncio.Queue()
        for subject in ("a", "b.*"):
            await transport.subscribe(subject, arrived.put_nowait)

        await server.nodes[0].kill()
        assert await states.get() is ConnectionState.RECONNECTING
        with pytest.raises(ConnectionUnavailable):
            transport.publish("a", b"lost")
        with pytest.raises(ConnectionUnavailable):
            await transport.request("a", b"lost")

        await server.nodes[0].start()
        assert await states.get() is ConnectionState.CONNECTED
        transport.publish("a", b"1")
        transport.publish("b.c", b"2")
        assert [(await arrived.get()).payload for _ in range(2)] == [b"1", b"2"]
        await transport.close()


async def test_nothing_said_before_an_outage_arrives_after_it() -> None:
    """A request must not be carried out long after its caller gave up: nothing is kept to be sent late."""
    async with nats_server() as server, asyncio.timeout(DEADLINE_S):
        caller, listener = await connect(server), await connect(server)
        arrived: asyncio.Queue[Message] = asyncio.Queue()
        await listener.subscribe("order", arrived.put_nowait)
        await listener.flush()
        states = states_of(caller)

        server.nodes[0].pause()
        caller.publish("order", b"stale")  # in the socket, or not even there: the server cannot have read it
        server_killed = server.nodes[0].kill()
        caller.publish("order", b"staler")
        await server_killed
        assert await states.get() is ConnectionState.RECONNECTING
        await server.nodes[0].start()
        assert await states.get() is ConnectionState.CONNECTED
        await listener.wait_connected(DEADLINE_S)
        caller.publish("order", b"fresh")
        assert (await arrived.get()).payload == b"fresh"
        await caller.close()
        await listener.close()


async def test_questions_to_a_stream_end_with_the_connection_and_readers_go_on_after_it() -> None:
    """A server drops the answers for who is gone: nobody waits for them."""
    async with nats_server() as server, asyncio.timeout(DEADLINE_S), AsyncExitStack() as stack:
        transport = await connect(server)
        stack.push_async_callback(transport.close)
        await transport.ensure_stream(StreamConfig(name="S", subjects=["s.>"]))
        states = states_of(transport)
        async with transport.read("S") as messages:
            assert await anext(messages) is None
            server.nodes[0].pause()
            questions: list[asyncio.Future[Any]] = [
                asyncio.ensure_future(streams.api(transport, "STREAM.INFO.S", timeout=30)),
                asyncio.ensure_future(transport.last("S", "s.a")),
                asyncio.ensure_future(transport.purge("S", "s.a", 2)),
            ]
            call = asyncio.ensure_future(transport.request("s.a", b"", timeout=30))
            await asyncio.sleep(0)
            await server.nodes[0].kill()
            assert await states.get() is ConnectionState.RECONNECTING
            async with asyncio.timeout(LOST_S):
                outcomes = await asyncio.gather(*questions, return_exceptions=True)
            # what changes nothing is asked again, and was not sent then
            assert [type(each) for each in outcomes] == [DeadlineExceeded, ConnectionUnavailable, DeadlineExceeded]
            assert not call.done()
            await server.nodes[0].start()
            assert await states.get() is ConnectionState.CONNECTED
            await transport.append("s.a", b"after")
            async with asyncio.timeout(READ_S):
                while (message := await anext(messages)) is None or message.payload != b"after":
                    pass
        await transport.close()
        with pytest.raises(ConnectionUnavailable):
            await call


@pytest.mark.parametrize("waiting", [0, 32 << 20])
async def test_a_server_that_hangs_is_left_after_some_unanswered_pings(waiting: int) -> None:
    """Also where it has left so many bytes in our socket."""
    async with nats_server() as server, asyncio.timeout(DEADLINE_S):
        transport = await connect(server)
        states = states_of(transport)
        server.nodes[0].pause()
        for _ in range(waiting >> 19):
            transport.publish("large", bytes(1 << 19))
        assert await states.get() is ConnectionState.RECONNECTING
        server.nodes[0].resume()
        assert await states.get() is ConnectionState.CONNECTED
        await transport.flush()
        await transport.close()


async def test_an_answer_to_a_ping_that_comes_too_late_ends_nothing() -> None:
    async with nats_server() as server, asyncio.timeout(DEADLINE_S):
        transport = await connect(server)
        states = states_of(transport)
        server.nodes[0].pause()
        with pytest.raises(DeadlineExceeded):
            await transport.flush(timeout=0.05)
        server.nodes[0].resume()
        await transport.flush()
        assert states.empty()
        await transport.close()


async def test_a_ping_on_a_socket_that_was_closed_a_moment_ago_says_so(
    nats_access: NatsAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def closed(*_: object) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    transport = await NatsTransport.connect(nats_access.urls, user=nats_access.user, password=nats_access.password)
    states = states_of(transport)
    with monkeypatch.context() as broken:
        broken.setattr(cast("Any", transport)._session._nc, "_send_ping", closed)
        with pytest.raises(ConnectionUnavailable):
            await transport.flush()
    async with asyncio.timeout(DEADLINE_S):
        assert [await states.get(), await states.get()] == [ConnectionState.RECONNECTING, ConnectionState.CONNECTED]
    await transport.close()


async def test_a_wrong_password_is_named_and_never_shown(nats_access: NatsAccess) -> None:
    with pytest.raises(ConnectionUnavailable, match="wrong user or password") as refused:
        await NatsTransport.connect(nats_access.urls, user="aegis", password="not-this", connect_timeout=2)
    assert "not-this" not in str(refused.value)


async def test_no_server_is_a_clear_error_in_time() -> None:
    with pytest.raises(ConnectionUnavailable, match=r"no NATS at nats://127\.0\.0\.1:1"):
        await NatsTransport.connect(["nats://127.0.0.1:1"], connect_timeout=0.3)


async def test_a_payload_beyond_the_servers_limit_is_refused_here(nats_access: NatsAccess) -> None:
    """The server would end the connection for it."""
    transport = await NatsTransport.connect(nats_access.urls, user=nats_access.user, password=nats_access.password)
    with pytest.raises(CodecError, match="at most"):
        transport.publish("a", bytes(transport.max_payload_bytes + 1))
    await transport.flush()
    await transport.close()


async def test_a_connection_of_a_cluster_moves_to_a_living_node() -> None:
    async with nats_server(nodes=3) as server, asyncio.timeout(30):
        transport = await connect(server)
        states = states_of(transport)
        port = int(transport.connected_to.rsplit(":", 1)[1])
        await next(node for node in server.nodes if node.client_port == port).kill()
        assert await states.get() is ConnectionState.RECONNECTING
        assert await states.get() is ConnectionState.CONNECTED
        assert transport.connected_to != f"127.0.0.1:{port}"
        await transport.close()


async def test_a_session_that_fails_as_it_ends_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Session.close

    async def broken(session: Session) -> None:
        await whole(session)
        raise LookupError("of nats-py")

    async with nats_server() as server, asyncio.timeout(DEADLINE_S):
        transport = await connect(server)
        states = states_of(transport)
        monkeypatch.setattr(Session, "close", broken)
        await server.nodes[0].kill()
        assert await states.get() is ConnectionState.RECONNECTING
        await server.nodes[0].start()
        assert await states.get() is ConnectionState.CONNECTED
        await transport.flush()
        monkeypatch.undo()
        await transport.close()


async def test_who_closes_it_as_it_connects_does_not_wait_for_ever(
    nats_access: NatsAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for`, with which nats-py connects, swallows a cancellation that comes with what it waits for."""
    opened, real = asyncio.Event(), Session.open

    async def swallowing(session: Session, server: str, options: dict[str, Any]) -> None:
        await real(session, server, options)
        opened.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(Session, "open", swallowing)
    user, password = nats_access.user, nats_access.password
    transport = NatsTransport(nats_access.urls, user=user, password=password, name="", connect_timeout=2.0)
    async with asyncio.timeout(DEADLINE_S):
        await opened.wait()
        await transport.close()
    assert transport.state is ConnectionState.CLOSED


async def test_a_lost_server_is_asked_for_at_least_ten_times_a_second() -> None:
    """The pause between two sessions is 20 to 50 ms, so that a server that is back is found at once."""
    loop = asyncio.get_running_loop()
    attempts: list[float] = []
    enough = asyncio.Event()

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempts.append(loop.time())
        writer.transport.abort()
        if len(attempts) == 11:
            enough.set()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    connecting = asyncio.create_task(NatsTransport.connect([f"nats://127.0.0.1:{port}"]))
    async with asyncio.timeout(DEADLINE_S):
        await enough.wait()
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    listener.close()
    assert median(later - earlier for earlier, later in pairwise(attempts)) < 0.1


async def test_a_server_that_does_not_read_is_left_before_the_memory_is_full() -> None:
    """Its pings are answered for as long as nothing else waits, so only the bound on what waits ends the session.

    Nothing of the session is left when the transport is closed just then, although much waits in its socket.
    """
    megabyte = 1 << 20
    stalled, reads_again = asyncio.Event(), asyncio.Event()
    before, speaking = asyncio.all_tasks(), set[asyncio.Task[None]]()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaking.add(cast("asyncio.Task[None]", asyncio.current_task()))
        writer.write(b'INFO {"server_id":"x","version":"2.11.0","max_payload":1048576,"headers":true}\r\n')
        with suppress(OSError):
            while not stalled.is_set() and (line := await reader.readline()):
                if line.startswith(b"PING"):
                    writer.write(b"PONG\r\n")
            await reads_again.wait()
            while await reader.read(megabyte):
                pass
        writer.close()

    listener = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    transport = await NatsTransport.connect([f"nats://127.0.0.1:{port}"])
    states = states_of(transport)
    stalled.set()
    with capture_logs() as logs:
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(80):
                if states.empty():
                    transport.publish("a", bytes(megabyte))
                    await asyncio.sleep(0)
            assert await states.get() is ConnectionState.RECONNECTING
    await transport.close()
    assert asyncio.all_tasks() <= {*before, *speaking}
    listener.close()
    reads_again.set()
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*speaking)
    assert "server_too_slow" in [log["event"] for log in logs]
