"""A real OpenBao of three nodes with raft storage: its leader can be killed, its nodes sealed."""
from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from tests.lib.openbao import BaoError, OpenBao, find_binary
from tests.lib.processes import (Folder, NotReady, Program, folder_in_memory, free_port, plain_environment,
                                 wait_until)

NODES = 3
RETRY_SECONDS = 60.0
PAUSE_SECONDS = 0.1


class Node:
    """One server of the cluster."""

    def __init__(self, folder: Path, index: int, port: int, cluster_port: int) -> None:
        self.index, self.port, self.cluster_port = index, port, cluster_port
        self.address = f"http://127.0.0.1:{port}"
        self.folder = folder / f"node{index}"
        (self.folder / "raft").mkdir(parents=True)
        self.program: Optional[Program] = None

    def configure(self, all_nodes: List["Node"]) -> None:
        """Write what it is started with: whom to join, where to listen. It leads within a second."""
        join = "\n".join(f'  retry_join {{ leader_api_addr = "{other.address}" }}'
                         for other in all_nodes if other is not self)
        (self.folder / "config.hcl").write_text(f"""
disable_mlock = true
api_addr = "{self.address}"
cluster_addr = "https://127.0.0.1:{self.cluster_port}"
storage "raft" {{
  path = "{self.folder / 'raft'}"
  node_id = "node{self.index}"
  performance_multiplier = 1
  autopilot_reconcile_interval = "200ms"
  autopilot_update_interval = "200ms"
{join}
}}
listener "tcp" {{
  address = "127.0.0.1:{self.port}"
  cluster_address = "127.0.0.1:{self.cluster_port}"
  tls_disable = true
}}
""", encoding="utf-8")

    def start(self) -> None:
        """Start it; it is sealed then."""
        self.program = Program(
            [str(find_binary()), "server", f"-config={self.folder / 'config.hcl'}",
             "-log-level=warn"], self.folder / "log", plain_environment(self.folder), self.folder)

    def alive(self) -> bool:
        """Does it run?"""
        return self.program is not None and not self.program.ended()


class Cluster(OpenBao):
    """Requests of the test go to whoever leads, and wait for a leader."""

    def __init__(self) -> None:  # pylint: disable=super-init-not-called
        self.folder = Folder("agent-cluster-", folder_in_memory())
        ports = [free_port() for _ in range(2 * NODES)]
        self.nodes = [Node(self.folder.path, i, ports[2 * i], ports[2 * i + 1])
                      for i in range(NODES)]
        self.ca_cert, self._context = None, None
        self.token = self.unseal_key = ""
        self.lock = threading.Lock()  # for tests that break it: one at a time
        for node in self.nodes:
            node.configure(self.nodes)
            node.start()
        self._initialise()

    @property
    def addresses(self) -> List[str]:
        """Of all nodes."""
        return [node.address for node in self.nodes]

    def _ask(self, node: Node, method: str, path: str,
             body: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
        self.address = node.address
        return super().request(method, path, body, token=None)

    def _initialise(self) -> None:
        first = self.nodes[0]
        wait_until(lambda: self._answers_at(first), "a node", first.program)
        made = self._ask(first, "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.token, self.unseal_key = made["root_token"], made["keys"][0]
        self.unseal_node(first)
        # Who has just joined has no vote for ten seconds otherwise.
        self.write("sys/storage/raft/autopilot/configuration",
                   {"server_stabilization_time": "100ms"})
        for node in self.nodes[1:]:
            self.unseal_node(node)
        wait_until(self._all_vote, "votes of all nodes")
        self.mount("secret", "kv", {"version": "2"})

    def _all_vote(self) -> bool:
        servers = self.request("GET", "sys/storage/raft/configuration")["data"]["config"]["servers"]
        return len(servers) == NODES and all(server["voter"] for server in servers)

    def _answers_at(self, node: Node) -> bool:
        try:
            self._ask(node, "GET", "sys/seal-status")
            return True
        except BaoError:
            return False

    def unseal_node(self, node: Node) -> None:
        """Have it join (which it does by itself) and serve."""
        def unsealed() -> bool:
            try:
                status = self._ask(node, "GET", "sys/seal-status")
                if status["initialized"] and status["sealed"]:
                    status = self._ask(node, "PUT", "sys/unseal", {"key": self.unseal_key})
                return bool(status["initialized"]) and not status["sealed"]
            except BaoError:
                return False  # it has not joined yet
        wait_until(unsealed, f"node {node.index}", node.program)

    def sealed(self, node: Node) -> bool:
        """Does it run, sealed?"""
        try:
            return bool(self._ask(node, "GET", "sys/seal-status")["sealed"])
        except BaoError:
            return False

    def leader(self) -> Optional[Node]:
        """Who leads now; None: nobody."""
        for node in self.nodes:
            try:
                if node.alive() and self._ask(node, "GET", "sys/leader")["is_self"]:
                    return node
            except BaoError:
                continue
        return None

    def standbys(self) -> List[Node]:
        """Those who run and don't lead."""
        leader = self.leader()
        return [node for node in self.nodes if node.alive() and node is not leader]

    def request(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None,
                token: Optional[str] = "", namespace: Optional[str] = None,
                wrap: int = 0) -> Dict[str, Any]:
        """As OpenBao.request, at whoever leads; while nobody does, it is tried again."""
        end = time.monotonic() + RETRY_SECONDS
        while True:
            leader = self.leader()
            try:
                if leader is not None:
                    self.address = leader.address
                    return super().request(method, path, body, token, namespace, wrap)
            except BaoError as problem:
                passes = problem.status in (0, 500, 503) or "for a brief period" in str(problem)
                if not passes or time.monotonic() > end:
                    raise
            if time.monotonic() > end:
                raise NotReady("the cluster has no leader")
            time.sleep(PAUSE_SECONDS)

    # ---- trouble ------------------------------------------------------------------------------

    def kill_leader(self) -> Node:
        """SIGKILL to whoever leads; gives it, for `restart`."""
        leader = self.leader()
        if leader is None or leader.program is None:
            raise NotReady("the cluster has no leader")
        leader.program.kill()
        return leader

    def restart(self, node: Node) -> None:
        """Start what was killed again, and have it serve."""
        node.start()
        self.unseal_node(node)

    def seal_node(self, node: Node) -> None:
        """Seal one node; it has to lead to be told so."""
        self.address = node.address
        super().request("PUT", "sys/seal")

    def settle(self) -> None:
        """Every node that serves knows what was written until now: none is behind the leader."""
        mark = secrets.token_hex(8)
        self.put("secret/settle", {"mark": mark})

        def knows(node: Node) -> bool:
            self.address = node.address
            try:
                said = super(Cluster, self).request("GET", "secret/data/settle")
                return bool(said["data"]["data"]["mark"] == mark)
            except BaoError:
                return False
        for node in self.nodes:
            if node.alive() and not self.sealed(node):
                wait_until(lambda: knows(node), "a node that is behind", node.program)

    def whole(self) -> None:
        """All nodes run and are unsealed, and one leads."""
        for node in self.nodes:
            if not node.alive():
                node.start()
            self.unseal_node(node)
        wait_until(lambda: self.leader() is not None, "a leader")

    def remove(self) -> None:
        """Stop the nodes and remove their folders."""
        for node in self.nodes:
            if node.program is not None:
                node.program.kill()
        self.folder.remove()
