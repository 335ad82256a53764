from ipaddress import ip_address
from pathlib import Path

import pytest

from pulse.config import Config, ConfigError
from pulse.config.addresses import address_mistake, literal_address, refusal

REFUSED = [
    # IPv4: first and last of every range
    *("0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255"),
    *("172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.1", "192.88.99.1"),
    *("192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.7"),
    *("203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    # IPv6
    *(
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "fec0::1",
        "fc00::1",
        "fdff::1",
        "ff02::1",
    ),
    *("100::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1"),
    # IPv4 inside IPv6, of the internet too: mapped, compatible, translated, NAT64, 6to4, Teredo
    *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:7f00:1", "::127.0.0.1", "::8.8.8.8"),
    *("::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
]
ALLOWED = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
    *("126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255"),
    *("172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"),
    *("223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "2a00::1"),
]


@pytest.mark.parametrize("address", REFUSED)
def test_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_allowed(address: str) -> None:
    assert refusal(address) is None


SPELLINGS = {
    "127.0.0.1": "127.0.0.1",
    "127.1": "127.0.0.1",
    "127.0.1": "127.0.0.1",
    "2130706433": "127.0.0.1",
    "0x7f000001": "127.0.0.1",
    "0X7F.1": "127.0.0.1",
    "0x7f.0x0.0x0.0x1": "127.0.0.1",
    "017700000001": "127.0.0.1",
    "0177.0.0.01": "127.0.0.1",
    "0177.0x0.0.1": "127.0.0.1",
    "127.0.0.1.": "127.0.0.1",
    "\uff11\uff12\uff17.0.0.1": "127.0.0.1",
    "127。0。0。1": "127.0.0.1",
    "⑫7.1": "127.0.0.1",
    "0xa9fea9fe": "169.254.169.254",
    "2852039166": "169.254.169.254",
    "169.254.43518": "169.254.169.254",
    "0": "0.0.0.0",
    "[::1]": "::1",
    "::1": "::1",
    "0:0:0:0:0:0:0:1": "::1",
    "[::ffff:127.0.0.1]": "::ffff:127.0.0.1",
    "[fe80::1%25eth0]": "fe80::1",
}


@pytest.mark.parametrize(("spelled", "meant"), SPELLINGS.items())
def test_every_spelling_of_an_address_is_read(spelled: str, meant: str) -> None:
    assert literal_address(spelled) == ip_address(meant)


@pytest.mark.parametrize(
    "name",
    ["example.com", "1.2.3.4.5", "256.1.1.1", "0x", "08.1.1.1x", "1..1", "", "a", "4294967296"],
)
def test_a_name_is_no_address(name: str) -> None:
    expected = ip_address("0.0.0.0") if name == "0x" else None
    assert literal_address(name) == expected


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_no_spelling_passes(spelled: str) -> None:
    host = f"[{spelled}]" if ":" in spelled and not spelled.startswith("[") else spelled
    assert address_mistake(f"http://{host}:8080/hook", allow_private=False)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/x", "must begin"),
        ("file:///etc/passwd", "must begin"),
        ("https:///hook", "has no host"),
        ("http://[::1/", "understood"),
        ("example.com/hook", "must begin"),
        ("http://localhost/hook", "loopback"),
        ("http://api.localhost./hook", "loopback"),
        ("http://user:secret-word@10.0.0.1/secret-word", "private"),
        ("http://2130706433/", "strange way"),
    ],
)
def test_a_bad_url_is_refused_without_repeating_it(url: str, why: str) -> None:
    mistake = address_mistake(url, allow_private=False)
    assert mistake is not None
    assert why in mistake[0]
    assert "secret-word" not in str(mistake)


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/T0/B0", "http://93.184.216.34:8080/", "https://[2a00::1]/x"]
)
def test_a_url_of_the_internet_passes(url: str) -> None:
    assert address_mistake(url, allow_private=False) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]/"])
def test_a_private_address_passes_where_it_is_allowed(url: str) -> None:
    assert address_mistake(url, allow_private=True) is None
    assert address_mistake(url, allow_private=False) is not None


def test_a_configuration_with_an_inner_address_is_refused_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "pulse.yaml"
    receiver = "receivers:\n  - name: cs\n    kind: webhook\n    url: http://10.1.2.3/hook\n"
    file.write_text(receiver + "    secret_env: SECRET\n")
    with pytest.raises(ConfigError) as caught:
        Config.load(file)
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.where) == (4, "receivers[0].url")
    assert "10.1.2.3 is not on the internet (private); allow_private" in str(mistake)

    file.write_text(receiver + "    secret_env: SECRET\n    allow_private: true\n")
    assert Config.load(file).receivers[0].allow_private
