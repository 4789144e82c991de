#!/usr/bin/env python3
"""A log-in by AppRole and 20 secrets over TLS, where the handshake of TCP has a round trip too: two agents
side by side.

    sudo tests/bench/handshake.py AGENT OTHER [REPETITIONS]

The proxy of `make bench` delays bytes; the handshake with it is the kernel's own, at once. Here client and
server are in two network namespaces that are joined by two TUN devices, and this process holds every packet
between them for half a round trip. No part of `make bench`: it takes root, and a kernel with TUN.
"""
from __future__ import annotations

import fcntl
import heapq
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import List, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# pylint: disable=wrong-import-position
from tests.bench import inputs
from tests.bench.harness import Side, Stopwatch
from tests.lib.servers import OpenBao, stop_on_signals

ROUND_TRIP_MS = 20.0
REPETITIONS = 40
PATHS = 20
NAMESPACE, CLIENT, SERVER = "agent-bench", "agentbench0", "agentbench1"  # 15 characters at most
CLIENT_ADDRESS, SERVER_ADDRESS, PORT = "10.9.0.1", "10.9.0.2", 8200
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
PACKET_BYTES = 65536


def tun(name: str) -> int:
    """A device of layer 3; what is written to it arrives there, what leaves by it is read."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def hold(one: int, other: int) -> None:
    """Carry packets between the two, each half a round trip later; never returns."""
    waiting: List[Tuple[float, int, int, bytes]] = []
    count = 0
    while True:
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, target, packet = heapq.heappop(waiting)
            os.write(target, packet)
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for source in select.select([one, other], [], [], left)[0]:
            count += 1
            heapq.heappush(waiting, (time.monotonic() + ROUND_TRIP_MS / 2000.0, count,
                                     other if source == one else one, os.read(source, PACKET_BYTES)))


def ip(*words: str) -> None:
    """One command of iproute2."""
    subprocess.run(["ip", *words], check=True)


def join() -> int:
    """The namespace of the client, joined to ours; gives who holds the packets."""
    one, other = tun(CLIENT), tun(SERVER)
    ip("netns", "add", NAMESPACE)
    ip("link", "set", CLIENT, "netns", NAMESPACE)
    ip("-n", NAMESPACE, "addr", "add", f"{CLIENT_ADDRESS}/30", "dev", CLIENT)
    ip("-n", NAMESPACE, "link", "set", CLIENT, "up")
    ip("addr", "add", f"{SERVER_ADDRESS}/30", "dev", SERVER)
    ip("link", "set", SERVER, "up")
    holder = os.fork()
    if holder == 0:
        hold(one, other)
    os.close(one)
    os.close(other)
    return holder


def pump(source: socket.socket, target: socket.socket) -> None:
    """Bytes of one direction, to their end."""
    try:
        while piece := source.recv(PACKET_BYTES):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side is gone


def serve(port: int) -> None:
    """Hand on connections of the joined namespace to a port of the loopback."""
    listening = socket.create_server((SERVER_ADDRESS, PORT))

    def accept() -> None:
        while True:
            ends = listening.accept()[0], socket.create_connection(("127.0.0.1", port))
            for end in ends:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in (ends, ends[::-1]):
                threading.Thread(target=pump, args=pair, daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def compare(agents: List[str], repetitions: int, server: OpenBao) -> None:
    """Run them in turns, and print the medians."""
    watch = Stopwatch(Path(__file__).parent, repetitions, False)
    paths = [f"secret/bench/p{number:02}" for number in range(PATHS)]
    for path in paths:
        server.put(path, {"value": f"value of {path}"})
    role = server.approle([server.policy({"secret/data/bench/*": ["read"]})], mount="approle")
    contract = inputs.fetch_contract(watch.folder / "handshake", paths, approle=True)
    env = {"VAULT_ADDR": f"https://{SERVER_ADDRESS}:{PORT}", "VAULT_SKIP_VERIFY": "1",
           "ROLE_ID": role.role_id, "SECRET_ID": role.secret_id}
    samples = watch.compare([
        Side(agent, ["ip", "netns", "exec", NAMESPACE, agent, "run", "-q", "--contract", str(contract),
                     "--", "/bin/true"], env) for agent in agents])
    for agent, sample in samples.items():
        print(f"{agent}: {sample.wall_ms:.1f} ms, {sample.cpu_ms:.1f} ms of a processor, {sample.count} runs")


def main() -> int:
    """See the head of the file."""
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    stop_on_signals()
    server, holder = OpenBao(tls=True), join()
    try:
        serve(server.port)
        compare([str(Path(agent).resolve()) for agent in sys.argv[1:3]],
                int(sys.argv[3]) if len(sys.argv) == 4 else REPETITIONS, server)
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        ip("netns", "del", NAMESPACE)
        server.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
