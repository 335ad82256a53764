"""The reference, made from the code; `make reference` writes `docs/reference/`.

One module a page: `configuration`, `metrics`, `topics`, `cli`, `api`. `shapes` says a JSON Schema
in words, `markdown` draws tables. Nothing here is needed to run pulse.
"""
