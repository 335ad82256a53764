"""The line from churn outcomes, pure: what a line would have found, and which line to take.

- `outcomes`: who left, and when it could be known
- `scores`: the day-start scores of a history
- `lines`: what each candidate line would have found, missed and cost
- `choice`: the line to take, by an objective, on the earlier part of the time
- `backtest`: what two configurations would have raised
- `alerts`: how good the alerts of a replay were
- `weights`: what a logistic regression says of the scorecard
- `words`: what is said of both
- `report`: the page about it
- `linefile`: what is written for `pulse.yaml` to name
"""
