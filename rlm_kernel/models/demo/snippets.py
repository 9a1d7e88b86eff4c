"""The Python that the demo writes to look at a context, name its parts, count in them, and submit.

Each snippet is plain code that a reader can learn from. Names in capitals are constants that a plan puts above
it; the snippets after another build on its variables: `parts` (name to text), `times`, then `result`.
"""

from __future__ import annotations

LOOK_AT_TEXT = """
print(type(context).__name__, f"{len(context):,} characters, {len(context.splitlines()):,} lines")
print(repr(context[:300]))
"""

LOOK_AT_DICT = """
print(type(context).__name__, len(context))
for name, item in list(context.items())[:5]:
    print(repr(name), type(item).__name__, len(item) if hasattr(item, "__len__") else item)
"""

LOOK_AT_ITEMS = """
print(type(context).__name__, len(context))
for item in list(context)[:5]:
    print(type(item).__name__, repr(item)[:200])
"""

LOOK_AT_ANYTHING = """
print(type(context).__name__)
print(repr(context)[:500])
"""

LOOK_AT_TABLE = """
print(type(context).__name__, context.shape)
print(context.head(3))
"""

PARTS_OF_TEXT = """
parts = {"the text": context}
"""

PARTS_OF_DICT = """
parts = {str(name): text for name, text in context.items()}
"""

PARTS_OF_ITEMS = """
parts = {f"{ONE} {number}": text for number, text in enumerate(context, 1)}
"""

PARTS_OF_ANYTHING = '''
def texts(value, name=""):
    """Every text in the value, with a name that says where it is."""
    if isinstance(value, str):
        yield name or "the text", value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, f"{name}/{key}" if name else str(key))
    elif hasattr(value, "itertuples"):  # a DataFrame: a text for each row
        yield from texts([" | ".join(map(str, row)) for row in value.itertuples(index=False)], name)
    elif hasattr(value, "__iter__"):
        for number, item in enumerate(value, 1):
            yield from texts(item, f"{name}/{number}" if name else f"{ONE} {number}")
    else:
        yield name, str(value)

parts = dict(texts(context))
'''

SEARCH = """
import re

times = {name: len(re.findall(PATTERN, text)) for name, text in parts.items()}
total = sum(times.values())
places = [name for name in times if times[name]]
"""

COUNTED = """
how_often = "once" if total == 1 else f"{total:,} times"
where = f", in {len(places):,} of {len(parts):,} {UNIT}" if len(parts) > 1 else ""
result = f"{TEXT!r} occurs {how_often}{where} ({RULE})."
print(result)
"""

PLACED = """
result = f"{len(places):,} of {len(parts):,} {UNIT} {VERB} {TEXT!r} ({RULE})."
if places:
    more = f" and {len(places) - 8:,} more" if len(places) > 8 else ""
    result += f" They are: {', '.join(places[:8])}{more}."
print(result)
"""

RANKED_PLACES = """
ranking = sorted(places, key=lambda name: (-times[name], name))
for name in ranking[:5]:
    print(times[name], name)
best = [name for name in ranking if times[name] == times[ranking[0]]]
if best:
    how_often = "once" if times[best[0]] == 1 else f"{times[best[0]]:,} times"
    result = f"{TEXT!r} occurs most often in {' and '.join(best[:5])}: {how_often} ({RULE})."
else:
    result = f"{TEXT!r} occurs in none of the {len(parts):,} {UNIT} ({RULE})."
print(result)
"""

SIZES = """
sizes = {
    UNIT: len(parts),
    "words": sum(len(text.split()) for text in parts.values()),
    "lines": sum(len(text.splitlines()) for text in parts.values()),
    "characters": sum(len(text) for text in parts.values()),
}
said = {name: f"{size:,} {name if size != 1 else name.removesuffix('s')}" for name, size in sizes.items()}
result = f"{said.pop(MEASURE)} ({', '.join(said.values())})."
print(result)
"""

EXTREMES = """
ranking = sorted(parts, key=lambda name: (len(parts[name]), name), reverse=MEASURE == "longest")
for name in ranking[:5]:
    print(len(parts[name]), name)
result = f"There are no {UNIT}."
for name in ranking[:1]:
    result = f"The {MEASURE} of {len(parts):,} {UNIT} is {name}, with {len(parts[name]):,} characters."
print(result)
"""

SUBMIT = """
answer["content"] = result
answer["ready"] = True
"""

__all__ = [
    "COUNTED",
    "EXTREMES",
    "LOOK_AT_ANYTHING",
    "LOOK_AT_DICT",
    "LOOK_AT_ITEMS",
    "LOOK_AT_TABLE",
    "LOOK_AT_TEXT",
    "PARTS_OF_ANYTHING",
    "PARTS_OF_DICT",
    "PARTS_OF_ITEMS",
    "PARTS_OF_TEXT",
    "PLACED",
    "RANKED_PLACES",
    "SEARCH",
    "SIZES",
    "SUBMIT",
]
