"""For product apps that are on Kafka already: usage events and profiles straight into the topic.

- `emitter`: takes them from any thread, and knows which of them Kafka has
- `lines`: what an app says → a line of the events topic, or what is wrong with it

As the collector does, it packs lines into records by `pulse.packs`.

Apps import it; nothing in pulse does.
"""

from pulse.sdk.emitter import EmitError, Emitter, Limits
from pulse.sdk.lines import BadEventError, ProfileFields

__all__ = ["BadEventError", "EmitError", "Emitter", "Limits", "ProfileFields"]
