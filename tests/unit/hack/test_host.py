"""What is read from and cleaned off the host: iptables, mounts, cgroups, apt, capabilities."""

from pathlib import Path

import pytest
from hack.cluster import cgroups, configs, debian, kube, mounts, network
from hack.cluster.settings import DNS_IP, POD_BRIDGE, paths

RULES = f"""\
# Generated
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:CNI-8a2bdeadbeef - [0:0]
:DOCKER - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -s 10.244.0.7/32 -j CNI-8a2bdeadbeef
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A FORWARD -i {POD_BRIDGE} -j ACCEPT
COMMIT
"""


def test_only_our_chains_and_rules_are_removed() -> None:
    kept = network.without_ours(RULES)
    assert "KUBE" not in kept
    assert "CNI" not in kept
    assert POD_BRIDGE not in kept
    assert ":DOCKER" in kept
    assert "172.17.0.0/16" in kept
    assert kept.endswith("COMMIT\n")
    assert network.without_ours(kept) == kept


def test_mount_points_with_blanks() -> None:
    text = "36 35 98:0 / /mnt/a\\040b rw - ext4 /dev/x rw\n37 35 0:1 / /proc rw - proc proc rw\n"
    assert mounts.parse(text) == [Path("/mnt/a b"), Path("/proc")]


def test_cgroup_hierarchies_of_both_versions(tmp_path: Path) -> None:
    one, two = tmp_path / "v1", tmp_path / "v2"
    for folder in (one / "cpu", one / "memory", two):
        folder.mkdir(parents=True)
    (two / "cgroup.controllers").touch()
    assert cgroups.hierarchies(one) == [one / "cpu", one / "memory"]
    assert cgroups.hierarchies(two) == [two]


@pytest.mark.parametrize(
    ("sources", "mirror"),
    [
        ("deb http://mirror.example/debian bookworm main", "http://mirror.example/debian"),
        ("deb [signed-by=/x arch=amd64] https://m.example/debian/ bookworm main", "https://m.example/debian/"),
        ("Types: deb\nURIs: https://m.example/debian\nSuites: bookworm", "https://m.example/debian"),
        ("deb https://m.example/debian-security bookworm-security main", None),
        ("# deb https://m.example/debian bookworm main", None),
    ],
)
def test_debian_mirror(sources: str, mirror: str | None) -> None:
    assert debian.mirror(sources) == mirror


def test_capability_to_lower_oom_scores() -> None:
    assert configs.can_lower_oom_score("Name:\tx\nCapEff:\t000001ffffffffff\n")
    assert not configs.can_lower_oom_score("Name:\tx\nCapEff:\t000001fffeffffff\n")


def test_dns_never_forwards_to_itself() -> None:
    assert configs.upstream_resolv(f"search x\nnameserver {DNS_IP}\nnameserver 9.9.9.9\n") == "nameserver 9.9.9.9\n"
    assert configs.upstream_resolv(f"nameserver {DNS_IP}\n").startswith("nameserver")


def test_config_files_are_written_only_when_they_change(tmp_path: Path) -> None:
    where = paths({"FAIRLEAD_STATE": str(tmp_path)})
    configs.write(where, "pause:1")
    proxy = where.run / "proxy.json"
    before = proxy.stat().st_mtime_ns
    configs.write(where, "pause:1")
    assert proxy.stat().st_mtime_ns == before


def test_manifest_names_must_have_values() -> None:
    assert kube.fill("image: ${A}", {"A": "x"}) == "image: x"
    with pytest.raises(KeyError):
        kube.fill("image: ${B}", {"A": "x"})


def test_folders_come_from_the_environment(tmp_path: Path) -> None:
    where = paths({"FAIRLEAD_STATE": str(tmp_path / "s"), "FAIRLEAD_CACHE": str(tmp_path / "c")})
    assert (where.run, where.cache) == (tmp_path / "s" / "cluster", tmp_path / "c")
    assert paths({}).state.name == ".local"


def test_services_are_held_back_only_while_packages_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with debian.no_services(policy):
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()
    policy.write_text("the machine's own")
    with debian.no_services(policy):
        pass
    assert policy.read_text() == "the machine's own"
