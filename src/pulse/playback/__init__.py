"""Playing files of usage events: through the engine here, or into Kafka.

- `lines`: the lines of files, plain or gzipped
- `script`: what is played in which order, with the ticks that say what time it is
- `replay`: the script through the engine in this process
- `outputs`: what came of it, as files
- `emit`: the script into the events topic, at full speed or paced
- `loading`: what a load into topics in use is called, holds and has there already

`pulse replay`, `pulse emit` and `pulse demo` play the same script, so what the one shows the
others do too. Nothing here prints.
"""
