"""The dashboards for Grafana, in Python; `make dashboards` writes `deploy/grafana/dashboards/`.

`parts` has the few kinds of panels there are; `fleet`, `pipeline` and `alerts` are one dashboard
each: for who looks after customers, for who runs pulse, for who asks what became of an alert.
Nothing here is needed to run pulse.
"""
