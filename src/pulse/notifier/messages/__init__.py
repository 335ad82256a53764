"""What people read: the facts of a notification, the templates that say them, the score drawn.

`facts` takes a `Notification` apart, `templates` renders it in a style (Slack, HTML, plain text),
`sparkline` draws. Pure, but for the files of the templates. The receivers whose readers are
people call it; what programs read (`webhook`, `alertmanager`, `pagerduty`) has no template.
"""
