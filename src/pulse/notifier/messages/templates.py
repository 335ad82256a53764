"""Messages from Jinja templates, in a sandbox.

A template has three blocks: `title`, `alert` (once for each alert) and `footer`. pulse ships one
for each style; a file of a receiver's configuration may replace any of the blocks, and has
`{{ super() }}` for what stood there. What a template puts out is escaped for its style, whatever it
is; what the template itself says is not.

    title, alert, footer ◀─ blocks ◀─ template ◀─ facts (`pulse.notifier.messages.facts`)

The sandbox keeps a template from what it was not given, from changing it, and from what goes on or
grows without end by mistake: loops in loops, a text doubled again and again. It is no wall against
who writes the configuration. A template that fails while a message is made is not what is told: the
shipped one is used in its place.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from html import escape as html_escape
from types import FrameType
from typing import Any, Final

import structlog
from jinja2 import (
    Environment,
    PackageLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    filters,
    nodes,
    pass_environment,
    pass_eval_context,
)
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from pulse.config.suggestions import did_you_mean
from pulse.notifier.messages.facts import AlertFacts, MessageFacts

log = structlog.get_logger("pulse.notifier")

BLOCKS: Final = ("title", "alert", "footer")
MAX_FILE_BYTES: Final = 64 * 1024
_MAX_BLOCK: Final = 16_000
"""Characters that one block may put out."""
_MAX_REPEATED: Final = 1_000
_MAX_TEXT: Final = 64_000
"""Characters, or items, of what a template makes on its way."""
_MAX_STEPS: Final = 20_000
"""Lines of a template's Python that one block may run through: milliseconds."""
_LONG: Final = frozenset(
    {
        "center",
        "expandtabs",
        "format",
        "format_map",
        "join",
        "ljust",
        "replace",
        "rjust",
        "to_bytes",
        "translate",
        "zfill",
    }
)
"""Methods of texts, and of numbers, that make one of any length out of one call."""
_SIZED: Final = frozenset({"do_batch", "do_round", "do_slice", "do_tojson"})
"""Filters that make as much as a number says."""


_OF_A_TEXT: Final = "<template>"
"""What Jinja calls the file of a template that was made of a text."""


class Style(StrEnum):
    """What a message is written in; its template is called so."""

    SLACK = "slack"
    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in its style: the title on one line, a text for each alert, what stands below."""

    title: str
    alerts: tuple[str, ...]
    footer: str


class TemplateMistake(ValueError):
    """A template that cannot be used. `line` counts from 1; 0 where it is about the whole."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def _slack(text: str) -> str:
    # https://api.slack.com/reference/surfaces/formatting#escaping
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_ESCAPES: Final[Mapping[Style, Callable[[str], str]]] = {
    Style.SLACK: _slack,
    Style.HTML: lambda text: html_escape(text, quote=True),
    Style.TEXT: str,
}


class _Bounding(CodeGenerator):
    """Has the environment look at what `~` makes."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.bounded(")
        super().visit_Concat(node, frame)
        self.write(")")


class _Sandbox(ImmutableSandboxedEnvironment):
    """No attribute that begins with an underscore, no change, no text multiplied without end."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = _Bounding

    def bounded(self, made: Any) -> Any:
        """What a template made. Raises `SecurityError` where it is too long."""
        if not isinstance(made, (int, float)):
            _refuse_above_most(len(made))
        return made

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, (str, bytes, int)) and attr in _LONG:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        if super().wrap_str_format(value) is not None:
            raise SecurityError("the methods format and format_map are not there for this")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sides = (left, right)
        if operator == "*" and not all(isinstance(each, (int, float)) for each in sides):
            times = [each for each in sides if isinstance(each, int)]
            if any(each > _MAX_REPEATED for each in times):
                raise SecurityError(f"nothing is repeated more than {_MAX_REPEATED} times")
            for each in sides:
                if times and hasattr(each, "__len__") and len(each) * times[0] > _MAX_TEXT:
                    raise SecurityError(f"it would be longer than {_MAX_TEXT}")
        elif operator == "**" or (operator == "%" and isinstance(left, str)):
            raise SecurityError(f"the operator {operator} is not there for this")
        made = super().call_binop(context, operator, left, right)
        return self.bounded(made) if operator == "+" and hasattr(made, "__len__") else made


def _bounded(environment: _Sandbox, call: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that makes nothing too long, and does not begin it where a number says so."""
    first = 2 if hasattr(call, "jinja_pass_arg") else 1
    is_sized = call.__name__ in _SIZED

    @wraps(call)  # which has Jinja's mark of what a filter is given before its own arguments
    def bounded(*given: Any, **named: Any) -> Any:
        for each in (*given[first:], *named.values()):
            if is_sized and isinstance(each, int):
                _refuse_above_most(each)
        made = call(*given, **named)
        return environment.bounded(made) if hasattr(made, "__len__") else made

    return bounded


@pass_eval_context
def _replace(
    context: nodes.EvalContext, s: Any, old: Any, new: Any, count: int | None = None
) -> str:
    """Jinja's `replace`, which is not begun where it would make too much."""
    is_markup = context.autoescape and any(hasattr(each, "__html__") for each in (s, old, new))
    s, old, new = (escape(each) if is_markup else str(each) for each in (s, old, new))
    times = s.count(old)
    if count is not None and count >= 0:
        times = min(times, count)
    _refuse_above_most(len(s) + times * (len(new) - len(old)))
    return filters.do_replace(context, s, old, new, count)


@pass_eval_context
def _join(
    context: nodes.EvalContext, value: Iterable[Any], d: str = "", attribute: Any = None
) -> str:
    """Jinja's `join`, which is not begun where it would make too much."""
    if attribute is not None:
        value = map(filters.make_attrgetter(context.environment, attribute), value)
    items, length = [], 0
    for each in value:
        items.append(each)
        length += len(str(each)) + len(str(d))
        _refuse_above_most(length - len(str(d)))
    joined: str = filters.do_join(context, items, d)
    return joined


@pass_environment
def _wordwrap(
    environment: Environment,
    s: str,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> str:
    """Jinja's `wordwrap`, which is not begun where it would make too much."""
    _refuse_above_most(len(s) * len(wrapstring or ""))
    return filters.do_wordwrap(
        environment, s, width, break_long_words, wrapstring, break_on_hyphens
    )


def _refuse_above_most(length: int) -> None:
    if length > _MAX_TEXT:
        raise SecurityError(f"a text of more than {_MAX_TEXT} characters is too long")


class Templates:
    """Renders messages in one style; `override` is the text of a file that replaces blocks.

    Raises `TemplateMistake` where that is no template.
    """

    def __init__(self, style: Style, override: str = "") -> None:
        escaped = _ESCAPES[style]

        def finish(value: Any) -> Markup:
            return value if isinstance(value, Markup) else Markup(escaped(str(value)))

        environment = _Sandbox(
            loader=PackageLoader("pulse.notifier.messages", "templates"),
            # With it `super()` and macros give what is not to be escaped again; `finish` escapes.
            autoescape=True,
            finalize=finish,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        for name in ("lipsum", "cycler", "joiner"):
            environment.globals.pop(name)
        # They make a text of any length out of one call.
        for name in ("center", "format", "indent", "pprint", "xmlattr", "urlize"):
            environment.filters.pop(name)
        environment.filters |= {"replace": _replace, "join": _join, "wordwrap": _wordwrap}
        for name, call in environment.filters.items():
            environment.filters[name] = _bounded(environment, call)
        self._shipped = environment.get_template(f"{style}.j2")
        self._own = _compiled(environment, override) if override else None

    def render(self, message: MessageFacts) -> Rendered:
        """The message. Never raises: a template of the user's that fails is left out."""
        if self._own is not None:
            try:
                return self.render_strictly(message)
            except TemplateMistake as mistake:
                log.warning("a template failed, the shipped one is used", why=str(mistake))
        return self._all(message, None)

    def render_strictly(self, message: MessageFacts) -> Rendered:
        """The message. Raises `TemplateMistake` where a template fails."""
        try:
            return self._all(message, self._own)
        except TemplateMistake:
            raise
        except TemplateError as error:
            raise TemplateMistake(f"{error.message}", self._line_of(error)) from None
        except Exception as error:
            # What it does with what it was given: a text plus a number, a missing method.
            raise TemplateMistake(
                f"{type(error).__name__}: {error}", self._line_of(error)
            ) from None

    def _all(self, message: MessageFacts, own: Template | None) -> Rendered:
        title = self._block("title", own, message, None)
        alerts = tuple(self._block("alert", own, message, each) for each in message.alerts)
        footer = self._block("footer", own, message, None)
        return Rendered(" ".join(title.split()), alerts, footer)

    def _block(
        self, name: str, own: Template | None, message: MessageFacts, alert: AlertFacts | None
    ) -> str:
        given: dict[str, Any] = {"message": message}
        if alert is not None:
            given["alert"] = alert
        chosen = self._shipped if own is None or name not in own.blocks else own
        context = chosen.new_context(given)
        renders = chosen.blocks[name]
        if chosen is not self._shipped:
            context.blocks[name] = [renders, self._shipped.blocks[name]]  # for `super()`
        parts: list[str] = []
        length = 0
        with _bounded_steps():
            for part in renders(context):
                length += len(part)
                if length > _MAX_BLOCK:
                    raise TemplateMistake(
                        f"block {name} puts out more than {_MAX_BLOCK} characters"
                    )
                parts.append(part)
        lines = (line.rstrip() for line in "".join(parts).splitlines())
        return "\n".join(lines).strip()

    def _line_of(self, error: Exception) -> int:
        """The line of the user's template where it failed; 0 where that is not known."""
        line, trace = 0, error.__traceback__
        while trace is not None and self._own is not None:
            if trace.tb_frame.f_code.co_filename == _OF_A_TEXT:
                line = self._own.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


@contextmanager
def _bounded_steps() -> Iterator[None]:
    """Raise `SecurityError` in a template of the user's that runs for too long.

    A thread with a time-out would go on, and nothing ends it.
    """
    left = _MAX_STEPS

    def step(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise SecurityError("it runs for too long: are there loops in loops?")
        return step

    def call(frame: FrameType, event: str, arg: object) -> Any:
        return step if frame.f_code.co_filename == _OF_A_TEXT else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)


def check(style: Style, override: str, samples: tuple[MessageFacts, ...]) -> None:
    """Render samples with somebody's template. Raises `TemplateMistake`."""
    templates = Templates(style, override)
    for each in samples:
        templates.render_strictly(each)


def _compiled(environment: ImmutableSandboxedEnvironment, text: str) -> Template:
    try:
        template = environment.from_string(text)
    except TemplateSyntaxError as error:
        raise TemplateMistake(error.message or "no template", error.lineno) from None
    unknown = [name for name in template.blocks if name not in BLOCKS]
    if unknown:
        meant = did_you_mean(unknown[0], BLOCKS) or f"there are {', '.join(BLOCKS)}"
        raise TemplateMistake(f'there is no block "{unknown[0]}"; {meant}')
    if not template.blocks:
        raise TemplateMistake(f"it has none of the blocks {', '.join(BLOCKS)}")
    return template
