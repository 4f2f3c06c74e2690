"""Preflight: each check finds its problem, says what to do, and is quiet otherwise."""

import socket
from pathlib import Path

import pytest
from hack import preflight
from hack.cluster import checks, machine
from hack.cluster.components import PORTS
from hack.cluster.settings import BRIDGE, DNS_IP, NODE_IP, POD_BRIDGE, paths
from hack.cluster.shell import ClusterError


def test_a_good_machine_has_no_problems() -> None:
    assert not checks.check_system("Linux", "x86_64")
    assert not checks.check_system("Linux", "aarch64")
    assert not checks.check_root(0)
    assert not checks.check_docker(usable=True)
    assert not checks.check_recorded("", "kind")
    assert not checks.check_recorded("kind", "kind")
    assert not checks.check_disk(30, warm=False, folder=Path("/"))
    assert not checks.check_disk(9, warm=True, folder=Path("/"))
    assert not checks.check_memory(8)
    assert not checks.check_go((1, 26))
    assert not checks.check_packages([], has_apt=False)
    assert not checks.check_packages(["runc"], has_apt=True)
    assert not checks.check_ports(lambda _host, _port: True, [])
    assert not checks.check_addresses({"127.0.0.1": "lo", NODE_IP: BRIDGE})
    assert not checks.check_kernel("nodev\tproc\nnodev\toverlay\n\text4\n")
    assert not checks.check_other([])
    assert not checks.check_dns(wildcard_taken=False)
    assert not checks.check_routes("default via 192.0.2.1 dev eth0\n10.0.0.0/24 dev eth0\n")


def test_another_system_and_another_processor_are_named() -> None:
    assert "Darwin" in str(checks.check_system("Darwin", "arm64")[0])
    assert "riscv64" in str(checks.check_system("Linux", "riscv64")[0])


def test_every_problem_has_a_remedy() -> None:
    found = [
        *checks.check_file(Path("/does/not/exist")),
        *checks.check_docker(usable=False),
        *checks.check_recorded("local", "kind"),
        *checks.check_root(1000),
        *checks.check_disk(3, warm=True, folder=Path("/data")),
        *checks.check_memory(2),
        *checks.check_go(None),
        *checks.check_packages(["runc"], has_apt=False),
        *checks.check_ports(lambda _host, port: port != 6443, []),
        *checks.check_addresses({DNS_IP: "eth7"}),
        *checks.check_kernel("ext4"),
        *checks.check_other([Path("/elsewhere/.local")]),
        *checks.check_dns(wildcard_taken=True),
        *checks.check_routes(f"10.244.3.0/24 dev flannel.1\n10.244.0.0/16 dev {POD_BRIDGE}\n"),
    ]
    assert len(found) == 14
    assert all(problem.what and problem.remedy for problem in found)


def test_a_port_that_our_own_process_holds_is_no_problem() -> None:
    names = {name.split()[0].lower() for name in PORTS.values()}
    assert not checks.check_ports(lambda _host, _port: False, names)
    blocked = checks.check_ports(lambda _host, _port: False, names - {"kubelet"})
    assert {"kubelet" in problem.what for problem in blocked} == {True}


def test_an_old_go_is_named() -> None:
    assert "1.24 is too old" in checks.check_go((1, 24))[0].what


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.27rc1 linux/arm64", (1, 27)),
        ("not found", None),
    ],
)
def test_go_version(text: str, version: tuple[int, int] | None) -> None:
    assert machine.parse_go(text) == version


def test_a_port_in_use_is_seen() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not machine.port_free("127.0.0.1", listener.getsockname()[1])


def test_all_problems_come_in_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    two = [checks.Problem("no disk", "buy one"), checks.Problem("no root", "be root")]
    monkeypatch.setattr(preflight, "problems", lambda _where: two)
    where = paths({"FAIRLEAD_STATE": str(tmp_path)})
    with pytest.raises(ClusterError) as caught:
        preflight.require(where)
    assert "buy one" in str(caught.value)
    assert "be root" in str(caught.value)
