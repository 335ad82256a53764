"""CloudEvents, and what they mean."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.collector.dialects import cloudevents
from pulse.collector.refusals import Refusal

if TYPE_CHECKING:
    from pulse.collector.meaning import Meant

NOW_MS = 1_729_798_381_000  # 2024-10-24T19:33:01Z


def meant(*events: Any) -> Meant:
    return cloudevents.meaning_of(list(events), "web", NOW_MS)


def lines(found: Meant) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line.data) for line in found.lines]


def run(**said: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": "e1", "source": "/app", "type": "run", "subject": "acme"}
    return event | said


def coded(data: Any) -> str:
    return base64.b64encode(msgspec.json.encode(data)).decode()


def test_a_cloudevent_is_a_usage_event() -> None:
    data = {"user_id": "ada", "feature": "reports", "value": 2.5}
    found = meant(run(time="2024-10-24T19:00:00Z", data=data, datacontenttype="application/json"))

    assert lines(found) == [
        {
            "id": "/app e1",
            "account_id": "acme",
            "ts": "2024-10-24T19:00:00Z",
            "event": "run",
            "user_id": "ada",
            "properties": data,
            "source": "web",
        }
    ]
    assert found.lines[0].account_id == "acme"


def test_the_extension_says_who_it_was_before_the_data_does() -> None:
    found = meant(run(userid="eve", data={"user_id": "ada"}), run(data={"user_id": 7}), run())
    assert [line.get("user_id") for line in lines(found)] == ["eve", "7", None]


def test_without_a_time_it_is_when_it_came_in() -> None:
    assert [line["ts"] for line in lines(meant(run(), run(time=None)))] == [NOW_MS, NOW_MS]


def test_an_id_is_its_sources() -> None:
    found = meant(run(), run(source="/other"), run(source="/" * 250), run(source="/" * 251))

    ids = [line["id"] for line in lines(found)]
    assert len(set(ids)) == 4
    assert all(len(each) <= 256 for each in ids)


@pytest.mark.parametrize(
    ("said", "properties"),
    [
        ({"data_base64": coded({"value": 2})}, {"value": 2}),
        ({"data_base64": coded({"value": 2}), "datacontenttype": "text/json"}, {"value": 2}),
        ({"data_base64": "no json", "datacontenttype": "application/protobuf"}, {}),
        ({"data": "text", "datacontenttype": "text/plain"}, {}),
        ({"data": {"value": "some", "feature": []}}, {}),
        ({"data": None}, {}),
    ],
)
def test_what_it_says_besides(said: dict[str, Any], properties: dict[str, Any]) -> None:
    assert lines(meant(run(**said)))[0]["properties"] == properties


@pytest.mark.parametrize(
    ("event", "reason", "field"),
    [
        *((run(**{name: None}), "missing", name) for name in run()),
        (run(subject=""), "missing", "subject"),
        (run(id=7), "missing", "id"),
        (run(specversion="0.3"), "invalid", "specversion"),
        (run(time="yesterday"), "invalid", "time"),
        (run(type="x" * 300), "invalid", "type"),
        (run(subject="x" * 300), "invalid", "subject"),
        (run(data={"value": 1e12}), "invalid", "data"),
        (run(data={"text": "x" * 40_000}), "too_large", ""),
        (run(data_base64="%"), "not_base64", "data_base64"),
        (run(data_base64=7), "not_base64", "data_base64"),
        (run(data_base64="aaaa"), "not_json", "data_base64"),
        ("no object", "invalid", ""),
    ],
)
def test_a_bad_one_does_not_cost_the_others(event: Any, reason: str, field: str) -> None:
    found = meant(run(), event, run(id="e2"))

    assert [(each.at, each.reason, each.field) for each in found.refused] == [(1, reason, field)]
    assert len(found.lines) == 2


def test_one_or_a_batch() -> None:
    one, batch = (msgspec.json.encode(each) for each in (run(), [run(), run(id="e2")]))
    headers = {"content-type": "application/cloudevents+json; charset=utf-8"}

    assert cloudevents.events_of(one, headers) == [run()]
    many = {"content-type": "application/cloudevents-batch+json"}
    assert cloudevents.events_of(batch, many) == [run(), run(id="e2")]
    with pytest.raises(Refusal):
        cloudevents.events_of(one, many)
    with pytest.raises(Refusal) as refused:
        cloudevents.events_of(msgspec.json.encode([1] * 10_001), many)
    assert refused.value.status == 413


def test_attributes_as_headers() -> None:
    attributes = run(subject="M%C3%BCller%20%26 Co", type='"run \\"it\\""')
    headers = {f"ce-{name}": value for name, value in attributes.items()} | {"accept": "*/*"}
    event = run(subject="Müller & Co", type='run "it"')

    def read(body: bytes, content_type: str) -> list[Any]:
        return cloudevents.events_of(body, headers | {"content-type": content_type})

    data = {"data": {"value": 1}}
    assert read(b'{"value": 1}', "application/json") == [event | data]
    assert read(b'{"value": 1}', "application/vnd.acme+json") == [event | data]
    assert read(b'{"value": 1}', "") == [event | data]
    assert read(b"", "application/json") == [event]
    assert read(b"<value>1</value>", "application/xml") == [event]
    with pytest.raises(Refusal):
        read(b"{", "application/json")


def test_what_is_no_cloudevent() -> None:
    with pytest.raises(Refusal) as refused:
        cloudevents.events_of(b"{}", {"content-type": "application/json"})
    assert refused.value.status == 415
