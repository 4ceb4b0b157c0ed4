"""Say rules as queries of OpenSearch, for people who look there: pySigma's backend writes them.

What a query finds can differ from what the rule finds: see the how-to about OpenSearch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

from soc.detect.sigma.correlation import is_correlation
from soc.detect.sigma.logsource import DATASETS, is_for
from soc.detect.sigma.pipelines import DEFAULT, needs_of
from soc.detect.sigma.rule import LogSource, Rule
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.source import Source, read_file
from soc.errors import Problem, Refused

UNSAID = "a correlation counts events over time: no query does; look at the rules that it counts"
NO_ORIGIN = "(NOT _exists_:Channel AND NOT _exists_:event.dataset)"


@dataclass(frozen=True, slots=True)
class Converted:
    """A rule as a query in Lucene's syntax, or the reason why there is none."""

    rule: str
    title: str
    query: str = ""
    problem: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """Return the query as ``_search`` takes it."""
        said = {"query": self.query, "analyze_wildcard": True}
        return {"query": {"bool": {"filter": [{"query_string": said}]}}}


def convert(ruleset: Ruleset, wanted: Sequence[str] = ()) -> Iterator[Converted | Problem]:
    """Yield each of the rules *wanted*, all where none is named, and files that hold no usable one.

    Raises Refused where the backend is not installed.
    """
    backend = _backend()
    every = [*ruleset.rules, *ruleset.correlations]
    for about in sorted(every, key=lambda about: about.name):
        if wanted and about.name not in wanted:
            continue
        if not isinstance(about, Rule):
            yield Converted(about.name, about.title, problem=UNSAID)
            continue
        try:
            query = _query(backend, about)
        except (SigmaError, NotImplementedError, TypeError, ValueError) as refused:
            yield Converted(about.name, about.title, problem=str(refused))
        else:
            yield Converted(about.name, about.title, query)
    if not wanted:
        yield from ruleset.failed


def _query(backend: Any, rule: Rule) -> str:  # noqa: ANN401 - pySigma is untyped
    collection = SigmaCollection.from_dicts([dict(_source(rule).plain)])
    queries = backend.convert(collection)
    parts = [f"({query})" for query in queries]
    said = parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"
    return " AND ".join([*_origin(rule.logsource), said])


def _source(rule: Rule) -> Source:
    for read in read_file(rule.path):
        if isinstance(read, Source) and read.digest == rule.digest and not is_correlation(read):
            return read
    raise ValueError(f"{rule.path}:{rule.line}: was changed meanwhile: try again")


def _origin(source: LogSource) -> Iterator[str]:
    """Yield what tells that an event is from the log source of a rule, as detection decides it."""
    needs = needs_of(source, DEFAULT)
    for field, values in needs:
        yield _any_of(field, [_quoted(str(value)) for value in values])
    if any(field == "Channel" for field, _ in needs) or not any(source):
        return
    if source.product == "windows":
        yield f"(_exists_:Channel OR event.dataset:windows.* OR {NO_ORIGIN})"
        return
    names = [_quoted(name) for name in sorted(DATASETS) if is_for(source, name)]
    if source.category is None:
        spelt = f"{_plain(source.product)}.{_plain(source.service)}"
        names += [spelt] if source.service else [spelt, spelt.removesuffix(".*")]
    yield f"({_any_of('event.dataset', names)} OR {NO_ORIGIN})" if names else NO_ORIGIN


def _any_of(field: str, values: Sequence[str]) -> str:
    return f"{field}:{values[0]}" if len(values) == 1 else f"{field}:({' OR '.join(values)})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(text: str | None) -> str:
    """Return *text* with nothing in it that Lucene reads as a sign; any text for none."""
    if text is None:
        return "*"
    return "".join(c if c.isalnum() or c in "_." else f"\\{c}" for c in text)


def _backend() -> Any:  # noqa: ANN401 - pySigma is untyped
    try:
        from sigma.backends import opensearch  # an extra
    except ImportError as missing:
        raise Refused("install commonwatch[opensearch]: it holds what writes queries") from missing
    return opensearch.OpensearchLuceneBackend()  # type: ignore[attr-defined]  # it has no __all__
