"""The Python that the demo writes to ask about pieces and to add up the replies.

As in `demo_snippets`: from `parts` come `pieces` or `groups`, from the replies `found` or `words`, then `result`.
"""

from __future__ import annotations

PACK = '''
def sections(text, limit):
    """The text in sections of at most `limit` characters, cut at the ends of lines where there are any."""
    start = 0
    while len(text) - start > limit:
        stop = start + limit
        stop = text.rfind("\\n", start, stop) + 1 or text.rfind(" ", start, stop) + 1 or stop
        yield text[start:stop]
        start = stop
    yield text[start:]

def pack(parts, limit):
    """The parts in pieces of at most `limit` characters; a part is cut only where it is longer."""
    pieces, room = [], 0
    for name, text in parts.items():
        for section in sections(text, limit):
            if not pieces or len(section) > room:
                pieces.append({})
                room = limit
            pieces[-1][name] = pieces[-1].get(name, "") + section
            room -= len(section)
    return pieces

size = sum(len(text) for text in parts.values())
'''

PIECES = """
pieces = pack(parts, max(100_000, size // MOST_PIECES))
print(f"{len(parts):,} parts, {size:,} characters, {len(pieces)} pieces")
for piece in pieces[:1]:
    print("the first one holds:", list(piece)[:5])
"""

GROUPS = """
groups = pack(parts, max(1_000, size // CHILDREN + 1))
for group in groups:
    print(f"{len(group):,} parts, {sum(len(text) for text in group.values()):,} characters")
"""

ADD_ROWS = '''
import json

found, failed = {}, 0

def add(reply):
    """Adds a reply, a line of JSON for each part, to what was found so far."""
    for line in reply.splitlines():
        row = json.loads(line)
        for item, times in row["found"].items():
            places = found.setdefault(item, {})
            places[row["part"]] = places.get(row["part"], 0) + times
'''

ADD_DIGESTS = '''
import json
from collections import Counter

words, sentences, failed = Counter(), [], 0

def add(reply):
    """Adds a reply, one line of JSON, to the words and sentences so far."""
    row = json.loads(reply)
    words.update(row["words"])
    sentences.extend(row["sentences"])
'''

ASK_PIECES = '''
import json

def prompt(piece):
    """The question, and below it the parts of a piece under their names."""
    return "\\n\\n".join([QUESTION, *(f"--- part: {json.dumps(name)} ---\\n{text}" for name, text in piece.items())])

for first in range(0, len(pieces), 20):
    for reply in llm_query_batched([prompt(piece) for piece in pieces[first : first + 20]]):
        if isinstance(reply, SubcallError):
            failed += 1
        else:
            add(reply)
'''

ASK_GROUPS = """
for reply in rlm_query_batched([QUESTION] * len(groups), contexts=groups):
    if isinstance(reply, SubcallError):
        failed += 1
    else:
        add(reply)
"""

FIND_ALONE = """
import re

found, failed = {}, 0
for name, text in parts.items():
    for item in re.findall(PATTERN, text.lower() if FOLD else text):
        places = found.setdefault(item.strip(), {})
        places[name] = places.get(name, 0) + 1
"""

SCORE_BY_PARTS = """
scores = {item: len(places) for item, places in found.items()}
"""

SCORE_BY_TIMES = """
scores = {item: sum(places.values()) for item, places in found.items()}
"""

RANK = """
ranking = sorted(scores, key=lambda item: (-scores[item], item))
print(f"{len(ranking):,} different {MANY}; sub-calls that failed: {failed}")
for item in ranking[:10]:
    print(scores[item], item)
"""

CHECK = """
# A sub-call can be wrong: the parts it named for the first item must really hold it.
missing = [name for item in ranking[:1] for name in found[item] if item.lower() not in parts[name].lower()]
assert not missing, f"{ranking[0]!r} is not in {missing[:3]}"
"""

AMOUNT_IN_PARTS = """
def amount(item):
    return f"in {scores[item]:,} of {len(parts):,} {UNIT}"
"""

AMOUNT_IN_TIMES = """
def amount(item):
    return "once" if scores[item] == 1 else f"{scores[item]:,} times"
"""

BEST = """
best = [item for item in ranking if scores[item] == scores[ranking[0]]]
if not best:
    result = f"There is no {NAME}"
elif len(best) == 1:
    result = f"The {NAME} found {HOW} is {best[0]}: {amount(best[0])}"
else:
    result = f"{len(best):,} {MANY} tie, each {amount(best[0])}: {' and '.join(best[:10])}"
result += f". What counted: {RULE}."
"""

TOP_ONES = """
shown = ", ".join(f"{item} ({amount(item)})" for item in ranking[:TOP])
result = f"The {MANY} found {HOW}: {shown}." if shown else f"There are no {MANY}."
result += f" What counted: {RULE}."
"""

LISTED = """
items = sorted(found, key=str.lower)
lines = "".join(f"\\n- {item[:160]}" for item in items[:50])
more = f"\\n… and {len(items) - 50:,} more" if len(items) > 50 else ""
noun = NAME if len(items) == 1 else f"different {MANY}"
result = f"{len(items):,} {noun} (what counted: {RULE}){':' if items else '.'}{lines}{more}"
"""

SAY_FAILED = """
if failed:
    result += f" {failed} of the sub-calls failed, so this is not complete."
print(result)
"""

ROWS = """
import json

rows = {}
for item, places in found.items():
    for part, times in places.items():
        rows.setdefault(part, {})[item] = times
assert not failed, f"{failed} sub-calls failed"
print(f"{len(rows):,} rows")
"""

ROWS_AS_JSON = """
result = "\\n".join(json.dumps({"part": part, "found": items}) for part, items in rows.items()) or NO_ROW
"""

WEIGH = '''
import re

def weight(sentence):
    """How many of the frequent words a sentence holds, for its length."""
    held = re.findall(r"\\w+", sentence.lower())
    return sum(words[word] for word in set(held)) / (len(held) + 10)

best = sorted(dict.fromkeys(sentences), key=weight, reverse=True)
print(words.most_common(10))
print(len(best), "sentences; the first:", best[:1])
'''

SUMMARISED = """
top = ", ".join(word for word, _ in words.most_common(10))
quoted = "".join(f"\\n- {sentence}" for sentence in best[:4])
result = f"{len(parts):,} {UNIT}. " if len(parts) > 1 else ""
result += f"The words that occur most: {top or 'none of four letters or more'}."
if quoted:
    result += f" Sentences that hold many of them:{quoted}"
result += "\\nThis is an extract by counting words, not a summary in words of its own."
"""

DIGESTED = """
import json

assert not failed, f"{failed} sub-calls failed"
result = json.dumps({"words": dict(words.most_common(60)), "sentences": best[:3]})
print(result[:300])
"""

WORDS_ALONE = """
import re
from collections import Counter

words, sentences, failed = Counter(), [], 0
for text in parts.values():
    words.update(re.findall(PATTERN, text.lower()))
    sentences += [" ".join(sentence.split()) for sentence in re.findall(r"[A-Z][^.!?]{40,200}[.!?]", text)[:3]]
"""


__all__ = [
    "ADD_DIGESTS",
    "ADD_ROWS",
    "AMOUNT_IN_PARTS",
    "AMOUNT_IN_TIMES",
    "ASK_GROUPS",
    "ASK_PIECES",
    "BEST",
    "CHECK",
    "DIGESTED",
    "FIND_ALONE",
    "GROUPS",
    "LISTED",
    "PACK",
    "PIECES",
    "RANK",
    "ROWS",
    "ROWS_AS_JSON",
    "SAY_FAILED",
    "SCORE_BY_PARTS",
    "SCORE_BY_TIMES",
    "SUMMARISED",
    "TOP_ONES",
    "WEIGH",
    "WORDS_ALONE",
]
