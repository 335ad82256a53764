from ipaddress import ip_address
from pathlib import Path

import pytest

from pulse.config import Config, ConfigError
from pulse.config.addresses import address_mistake, host_mistake, literal_address, refusal
from pulse.testing.addresses import ALLOWED, REFUSED, SPELLINGS


@pytest.mark.parametrize("address", REFUSED)
def test_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_allowed(address: str) -> None:
    assert refusal(address) is None


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
    assert host_mistake(spelled, allow_private=False)


@pytest.mark.parametrize("address", REFUSED)
def test_no_refused_address_passes_in_a_url_or_as_a_host(address: str) -> None:
    host = f"[{address.replace('%', '%25')}]" if ":" in address else address
    assert address_mistake(f"https://{host}/hook", allow_private=False)
    assert host_mistake(address, allow_private=False)
    if "." in host and ":" not in host:
        assert host_mistake(f"{address}.", allow_private=False)


@pytest.mark.parametrize("address", ALLOWED)
def test_an_address_of_the_internet_passes(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert address_mistake(f"https://{host}/hook", allow_private=False) is None
    assert host_mistake(address, allow_private=False) is None


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
