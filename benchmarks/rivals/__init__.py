"""What pulse is compared with. Each module runs as a process of its own in `.venv-bench`:

    python -m benchmarks.rivals.hand JOB_FOLDER OPTIONS

It prints one line of JSON, a `Report`, and knows nothing of pulse: what all of them count stands in
`state`, so that they differ in how records come in and how state is kept.
"""
