"""The graph's compiled part: nodes, the index of what they share, scored edges, all in one array of words.

`linkage.graph` has the words for it: what a node is, who is compared with whom, and when a key is hot. `score` is
`linkage.compare.Scorer.score` over numbers; tests hold the two together, pair by pair.

Regions of the array (`linkage.memory`): a node is `NODE` words; a key of the index is `KEY` words, found by linear
hashing (Litwin 1980), so that the table grows by a bucket at a time; an entry ties a node to a key; lists that belong
to nodes lie in a pool of blocks whose sizes are powers of two. A list is referred to by one word: where it begins, the
size of its block, how many items. Places count from 1: 0 is nothing.

A sign is what a node can share: a number that is meant (kind `NUMBER`), a name with a birth, or a token. Signs are
pairs of words: the key, then how many mentions have it with the entry that ties the node to it (0: not indexed).
"""

# Compiled code wants plain loops, not generators.
# ruff: noqa: SIM110

from __future__ import annotations

from typing import Final

from linkage.memory import Words
from linkage.native import compiled

# Regions. What compiled code depends on stands in this file, by which it is known when to compile anew.
REGION_BITS: Final = 30
"""Words of a region: 8 GiB of addresses, enough for some fifty million mentions."""
_NODES: Final = 1 << REGION_BITS
_KEYS: Final = 2 << REGION_BITS
_BUCKETS: Final = 3 << REGION_BITS
_ENTRIES: Final = 4 << REGION_BITS
_POOL: Final = 5 << REGION_BITS
_NAMES: Final = 6 << REGION_BITS
_PAIRS: Final = 7 << REGION_BITS
_TOUCHED: Final = 8 << REGION_BITS
_DIRTY: Final = 9 << REGION_BITS
_FOUND: Final = 10 << REGION_BITS
OUT: Final = 11 << REGION_BITS
"""Where functions leave what they found."""
SIZE: Final = 12 << REGION_BITS
"""Words of the array, of which few are ever written."""

# The first words of the array: how far the regions are used, and what is in force.
NODE_COUNT: Final = 0
NEXT_NODE: Final = 1
FREE_NODE: Final = 2
NEXT_KEY: Final = 3
FREE_KEY: Final = 4
KEY_COUNT: Final = 5
BUCKET_COUNT: Final = 6
"""0 in an array that was never used."""
NEXT_ENTRY: Final = 7
FREE_ENTRY: Final = 8
POOL_END: Final = 9
TOUCHED_COUNT: Final = 10
TOUCHED_DONE: Final = 11
DIRTY_COUNT: Final = 12
STAMP: Final = 13
HOT: Final = 14
"""Hot keys, numbers among them."""
PAIR_COUNT: Final = 15
APART_FROM: Final = 16
REVIEW_FROM: Final = 17
LINK_FROM: Final = 18
_FREE_BLOCKS: Final = 32
WEIGHTS: Final = 96
"""Two words a weight, in the order of `Weighed`."""

# A node.
NODE: Final = 24
NUMBER: Final = 0
DOUBTFUL: Final = 1
INVALID: Final = 2
CERTIFICATE: Final = 3
BIRTH: Final = 4
KNOWN_BIRTH: Final = 5
READINGS: Final = 6
LUNAR: Final = 8
MONTH: Final = 10
SEX: Final = 11
KNOWN_SEX: Final = 12
ORDER: Final = 13
OWN: Final = 14
"""What tokens of the number begin with, 0 without a number."""
CORE: Final = 15
FLAGS: Final = 16
MEMBERS: Final = 17
SIGNS: Final = 18
EDGES: Final = 19
NAMES: Final = 20
EARLIER: Final = 21
_MARK: Final = 22
"""The last stamp that marked the node; what it marks lasts as long as one step of work."""
_PLACE: Final = 23
"""Whatever the marking step wants to know of it; in a node that is free the next free one."""

NO_BIRTH: Final = -(1 << 40)
SHARED: Final = 1
DECIDED: Final = 2
_IS_TOUCHED: Final = 4
_IS_DIRTY: Final = 8
_DONE: Final = 16

KEY: Final = 4
_ENTRY: Final = 2
NAME: Final = 3
PAIR: Final = 4
PAIR_BITS: Final = 18
MOST_PAIRS: Final = 1 << (PAIR_BITS - 1)

MOST: Final = 64
"""Nodes that may share a key. A person has some three, a household of six some twenty; a telephone or address
of more than this is an office's, or a default."""

# Kinds of signs, as in `linkage.features.Kind`, and the number that is meant.
_KIND: Final = 31
_DOCUMENT_KIND: Final = 1
_PARENT_KIND: Final = 7
_CHILD_KIND: Final = 9
_OTHER_KINDS: Final = 17
NUMBER_KIND: Final = 19
_INDEXED: Final = 0b1110_0000_0111_1101_1111
_SURE: Final = 0b1100_0000_0000_0000_0011
_PLACES: Final = 0b1100_0000_0011_0000
_OWN_KINDS: Final = 0b11

# Names of weights, in their order behind `WEIGHTS`.
_PRIOR: Final = 0
_NUMBER_EQUAL: Final = 1
_DOUBTFUL_EQUAL: Final = 2
_DOUBTFUL_DIFFERENT: Final = 3
_EARLIER_NUMBER: Final = 4
_ONE_ERROR: Final = 5
_NEAR: Final = 6
_SAME_REGION: Final = 7
_DIFFERENT: Final = 8
_OF_KIN: Final = 9
_SEX_EQUAL: Final = 10
_ORDER_EQUAL: Final = 12
_CERTIFICATE_DIFFERENT: Final = 14
_MOST: Final = 15
_ALONE: Final = 16
_BIRTHS: Final = 17
_TOKENS: Final = 27
WEIGHED: Final = (
    "prior.pair",
    "number.equal",
    "number.doubtful_equal",
    "number.doubtful_different",
    "number.earlier",
    "number.one_error",
    "number.near",
    "number.same_region",
    "number.different",
    "number.of_kin",
    "sex.equal",
    "sex.different",
    "order.equal",
    "order.different",
    "certificate.different",
    "context.most",
    "context.alone",
    "birth.equal",
    "birth.default_equal",
    "birth.number_equal",
    "birth.swapped",
    "birth.lunar",
    "birth.one_part",
    "birth.year_equal",
    "birth.month_equal",
    "birth.month_different",
    "birth.different",
    "tie.equal",
    "document.equal",
    "phone.equal",
    "near_phone.equal",
    "address.equal",
    "building.equal",
    "household.equal",
    "parent_number.equal",
    "spouse_number.equal",
    "child_number.equal",
    "near_number.equal",
    "parent_name.equal",
    "spouse_name.equal",
    "near_name.equal",
    "street.equal",
    "town.equal",
    "workplace.equal",
)
"""Lines of the table of weights, in the order in which they lie behind `WEIGHTS`."""

_APART: Final = -1000 * 256
_EQUAL: Final = 0
_DEFAULT_EQUAL: Final = 1
_NUMBER_EQUAL_BIRTH: Final = 2
_SWAPPED: Final = 3
_LUNAR_BIRTH: Final = 4
_ONE_PART: Final = 5
_YEAR_EQUAL: Final = 6
_MONTH_EQUAL: Final = 7
_MONTH_DIFFERENT: Final = 8
_DIFFERENT_BIRTH: Final = 9
_UNKNOWN: Final = 10

_EQUAL_NAME: Final = 1
"""The place of ``equal`` among the levels of names, in the order of their words."""

_CHECKS: Final = 11
"""A number is a word: its first seventeen digits times eleven, and its check character, ten for X."""
_DIGITS: Final = 18
_NEAR_NUMBERS: Final = 2

DECIDED_NEXT: Final = -(1 << 40)
"""`settle` came to a node that decisions are about."""
WHOLE: Final = 1
NEAR: Final = 2
WITH_DECISION: Final = 4

_COUNT: Final = (1 << 24) - 1
_CLASS: Final = 31
_HALF: Final = (1 << 32) - 1


# Lists in the pool.


@compiled
def _block(memory: Words, size: int) -> int:
    """Return a block of 2 ** ``size`` words."""
    free: int = memory[_FREE_BLOCKS + size]
    if free:
        memory[_FREE_BLOCKS + size] = memory[_POOL + free]
        return free
    begin: int = max(memory[POOL_END], 2)
    memory[POOL_END] = begin + (1 << size)
    return begin


@compiled
def _release(memory: Words, word: int) -> None:
    """Free a list's block."""
    begin = word >> 29
    if begin:
        size = word >> 24 & _CLASS
        memory[_POOL + begin] = memory[_FREE_BLOCKS + size]
        memory[_FREE_BLOCKS + size] = begin


@compiled
def _push(memory: Words, place: int, item: int) -> None:
    """Put a word behind the list that ``place`` of the array refers to."""
    word = memory[place]
    count = word & _COUNT
    begin = word >> 29
    size = word >> 24 & _CLASS
    if begin == 0:
        size = 2
        begin = _block(memory, size)
    elif count == 1 << size:
        wider = _block(memory, size + 1)
        for one in range(count):
            memory[_POOL + wider + one] = memory[_POOL + begin + one]
        _release(memory, word)
        begin = wider
        size += 1
    memory[_POOL + begin + count] = item
    memory[place] = begin << 29 | size << 24 | (count + 1)


@compiled
def _begin(memory: Words, place: int) -> int:
    """Return where in the array the list's items begin."""
    begin: int = memory[place] >> 29
    return _POOL + begin


@compiled
def _count(memory: Words, place: int) -> int:
    count: int = memory[place] & _COUNT
    return count


@compiled
def _shorten(memory: Words, place: int, words: int) -> None:
    """Forget the last words of a list."""
    word = memory[place]
    if (word & _COUNT) == words:
        _release(memory, word)
        memory[place] = 0
    else:
        memory[place] = word - words


# Who is to be compared again, and who is to be clustered again.


@compiled
def _touch(memory: Words, node: int) -> None:
    at = _NODES + node * NODE + FLAGS
    if not memory[at] & _IS_TOUCHED:
        memory[at] |= _IS_TOUCHED
        memory[_TOUCHED + memory[TOUCHED_COUNT]] = node
        memory[TOUCHED_COUNT] += 1


@compiled
def _soil(memory: Words, node: int) -> None:
    at = _NODES + node * NODE + FLAGS
    if not memory[at] & _IS_DIRTY:
        memory[at] |= _IS_DIRTY
        memory[_DIRTY + memory[DIRTY_COUNT]] = node
        memory[DIRTY_COUNT] += 1


@compiled
def touch(memory: Words, node: int) -> None:
    """Have the node compared again."""
    _touch(memory, node)


# The index.


@compiled
def _bucket(memory: Words, key: int) -> int:
    count = memory[BUCKET_COUNT]
    level = 1
    while level * 2 <= count:
        level *= 2
    place = key >> 5 & (2 * level - 1)
    if place >= count:
        place &= level - 1
    return place


@compiled
def _widen(memory: Words) -> None:
    """Make one more bucket, of what another one holds."""
    if memory[BUCKET_COUNT] == 0:
        memory[BUCKET_COUNT] = 1
    count = memory[BUCKET_COUNT]
    level = 1
    while level * 2 <= count:
        level *= 2
    old = count - level
    mask = 2 * level - 1
    one = memory[_BUCKETS + old]
    kept = moved = 0
    while one:
        at = _KEYS + one * KEY
        following = memory[at + 1]
        if memory[at] >> 5 & mask == count:
            memory[at + 1] = moved
            moved = one
        else:
            memory[at + 1] = kept
            kept = one
        one = following
    memory[_BUCKETS + old] = kept
    memory[_BUCKETS + count] = moved
    memory[BUCKET_COUNT] = count + 1


@compiled
def find(memory: Words, key: int) -> int:
    """Return the place of a key, 0 when nobody has it."""
    if memory[BUCKET_COUNT] == 0:
        return 0
    one: int = memory[_BUCKETS + _bucket(memory, key)]
    while one:
        at = _KEYS + one * KEY
        if memory[at] == key:
            return one
        one = memory[at + 1]
    return 0


@compiled
def _holders(memory: Words, place: int) -> int:
    counts: int = memory[_KEYS + place * KEY + 3]
    return (counts >> 32) + (counts & _HALF)


@compiled
def holders(memory: Words, key: int) -> int:
    """Return how many nodes have a key that is indexed."""
    place = find(memory, key)
    return _holders(memory, place) if place else 0


@compiled
def _holders_to_out(memory: Words, place: int) -> int:
    """Write the nodes that have the key to `OUT`; return how many."""
    heads = memory[_KEYS + place * KEY + 2]
    count = 0
    for side in range(2):
        entry = heads >> 32 if side == 0 else heads & _HALF
        while entry:
            at = _ENTRIES + entry * _ENTRY
            memory[OUT + count] = memory[at] >> 32
            count += 1
            entry = memory[at + 1] & _HALF
    return count


@compiled
def nodes_of(memory: Words, key: int) -> int:
    """Write the nodes that have an indexed key to `OUT`; return how many."""
    place = find(memory, key)
    return _holders_to_out(memory, place) if place else 0


@compiled
def _touch_holders(memory: Words, place: int) -> None:
    for one in range(_holders_to_out(memory, place)):
        _touch(memory, memory[OUT + one])


@compiled
def _tie(memory: Words, node: int, key: int) -> int:
    """Enter the node under the key; return the entry."""
    place = find(memory, key)
    if place == 0:
        if memory[KEY_COUNT] >= 2 * memory[BUCKET_COUNT]:
            _widen(memory)
        place = memory[FREE_KEY]
        if place:
            memory[FREE_KEY] = memory[_KEYS + place * KEY + 1]
        else:
            place = memory[NEXT_KEY] = memory[NEXT_KEY] + 1
        at = _KEYS + place * KEY
        bucket = _BUCKETS + _bucket(memory, key)
        memory[at] = key
        memory[at + 1] = memory[bucket]
        memory[at + 2] = 0
        memory[at + 3] = 0
        memory[bucket] = place
        memory[KEY_COUNT] += 1
    entry = memory[FREE_ENTRY]
    if entry:
        memory[FREE_ENTRY] = memory[_ENTRIES + entry * _ENTRY + 1]
    else:
        entry = memory[NEXT_ENTRY] = memory[NEXT_ENTRY] + 1
    at = _KEYS + place * KEY
    heads = memory[at + 2]
    numbered = memory[_NODES + node * NODE + NUMBER] != 0
    head = heads >> 32 if numbered else heads & _HALF
    memory[_ENTRIES + entry * _ENTRY] = node << 32 | place
    memory[_ENTRIES + entry * _ENTRY + 1] = head
    if head:
        memory[_ENTRIES + head * _ENTRY + 1] |= entry << 32
    if numbered:
        memory[at + 2] = entry << 32 | (heads & _HALF)
        memory[at + 3] += 1 << 32
    else:
        memory[at + 2] = heads >> 32 << 32 | entry
        memory[at + 3] += 1
    count = _holders(memory, place)
    if count == 2 and key & _KIND == NUMBER_KIND:
        # Whoever had the number alone has it no more.
        _holders_to_out(memory, place)
        _soil(memory, memory[OUT] if memory[OUT] != node else memory[OUT + 1])
    if count == MOST + 1:
        memory[HOT] += 1
        _touch_holders(memory, place)
    return int(entry)


@compiled
def _untie(memory: Words, entry: int) -> None:
    """Take a node from under a key."""
    at = _ENTRIES + entry * _ENTRY
    node = memory[at] >> 32
    place = memory[at] & _HALF
    before = memory[at + 1] >> 32
    behind = memory[at + 1] & _HALF
    key = _KEYS + place * KEY
    numbered = memory[_NODES + node * NODE + NUMBER] != 0
    if before:
        word = _ENTRIES + before * _ENTRY + 1
        memory[word] = memory[word] >> 32 << 32 | behind
    elif numbered:
        memory[key + 2] = behind << 32 | (memory[key + 2] & _HALF)
    else:
        memory[key + 2] = memory[key + 2] >> 32 << 32 | behind
    if behind:
        word = _ENTRIES + behind * _ENTRY + 1
        memory[word] = before << 32 | (memory[word] & _HALF)
    memory[key + 3] -= 1 << 32 if numbered else 1
    memory[at + 1] = memory[FREE_ENTRY]
    memory[FREE_ENTRY] = entry
    count = _holders(memory, place)
    if count == MOST:
        memory[HOT] -= 1
        _touch_holders(memory, place)
    if count == 1 and memory[key] & _KIND == NUMBER_KIND:
        _holders_to_out(memory, place)
        _soil(memory, memory[OUT])
    if count == 0:
        bucket = _BUCKETS + _bucket(memory, memory[key])
        one = memory[bucket]
        if one == place:
            memory[bucket] = memory[key + 1]
        else:
            while memory[_KEYS + one * KEY + 1] != place:
                one = memory[_KEYS + one * KEY + 1]
            memory[_KEYS + one * KEY + 1] = memory[key + 1]
        memory[key + 1] = memory[FREE_KEY]
        memory[FREE_KEY] = place
        memory[KEY_COUNT] -= 1


# Nodes and their signs.


@compiled
def _add_sign(memory: Words, node: int, key: int) -> None:
    """Count a sign of the node once more."""
    place = _NODES + node * NODE + SIGNS
    begin = _begin(memory, place)
    for one in range(begin, begin + _count(memory, place), 2):
        if memory[one] == key:
            memory[one + 1] += 1 << 32
            return
    entry = _tie(memory, node, key) if _INDEXED >> (key & _KIND) & 1 else 0
    _push(memory, place, key)
    _push(memory, place, 1 << 32 | entry)
    _touch(memory, node)


@compiled
def _remove_sign(memory: Words, node: int, key: int) -> None:
    place = _NODES + node * NODE + SIGNS
    begin = _begin(memory, place)
    last = begin + _count(memory, place) - 2
    one = begin
    while memory[one] != key:
        one += 2
        assert one <= last
    memory[one + 1] -= 1 << 32
    if memory[one + 1] >> 32:
        return
    entry = memory[one + 1] & _HALF
    memory[one], memory[one + 1] = memory[last], memory[last + 1]
    _shorten(memory, place, 2)
    _touch(memory, node)
    if entry:
        _untie(memory, entry)


@compiled
def join(memory: Words, number: int, core: int, tokens: Words) -> int:
    """Return the shared node of a core, with the tokens of one more mention; 0 when there is none yet.

    ``number`` is the key of the core's number, ``core`` tells cores apart.
    """
    place = find(memory, number)
    if place == 0:
        return 0
    entry = memory[_KEYS + place * KEY + 2] >> 32
    while entry:
        at = _ENTRIES + entry * _ENTRY
        node: int = memory[at] >> 32
        own = _NODES + node * NODE
        if memory[own + CORE] == core and memory[own + FLAGS] & SHARED:
            memory[own + MEMBERS] += 1
            for token in tokens:
                _add_sign(memory, node, token)
            return node
        entry = memory[at + 1] & _HALF
    return 0


@compiled
def create(memory: Words, words: Words, names: int, earlier: int, tokens: Words) -> int:
    """Make a node and return it. ``words`` are its first ones, as many ``names``, ``earlier`` numbers, and then what it
    is found by; ``tokens`` are its first mention's."""
    node: int = memory[FREE_NODE]
    if node:
        memory[FREE_NODE] = memory[_NODES + node * NODE + _PLACE]
    else:
        node = memory[NEXT_NODE] = memory[NEXT_NODE] + 1
    at = _NODES + node * NODE
    for one in range(MEMBERS):
        memory[at + one] = words[one]
    for one in range(MEMBERS, NODE):
        memory[at + one] = 0
    memory[at + MEMBERS] = 1
    memory[NODE_COUNT] += 1
    names += MEMBERS
    earlier += names
    for one in range(MEMBERS, names):
        _push(memory, at + NAMES, words[one])
    for one in range(names, earlier):
        _push(memory, at + EARLIER, words[one])
    for one in range(earlier, words.size):
        _add_sign(memory, node, words[one])
    for token in tokens:
        _add_sign(memory, node, token)
    _touch(memory, node)
    return node


@compiled
def leave(memory: Words, node: int, tokens: Words) -> None:
    """Take a mention with its tokens from a node; the last one takes the node out of the index."""
    at = _NODES + node * NODE
    for token in tokens:
        _remove_sign(memory, node, token)
    memory[at + MEMBERS] -= 1
    if memory[at + MEMBERS] == 0:
        memory[NODE_COUNT] -= 1
        _touch(memory, node)
        begin = _begin(memory, at + SIGNS)
        for one in range(begin, begin + _count(memory, at + SIGNS), 2):
            entry = memory[one + 1] & _HALF
            if entry:
                _untie(memory, entry)
        for place in (at + SIGNS, at + NAMES, at + EARLIER):
            _release(memory, memory[place])
            memory[place] = 0


@compiled
def change(memory: Words, node: int, before: Words, after: Words) -> None:
    """Give a mention of the node other tokens."""
    for token in after:
        _add_sign(memory, node, token)
    for token in before:
        _remove_sign(memory, node, token)


# Names: what two prove is asked for once (`linkage.names`) and remembered.


@compiled
def _pair_slot(memory: Words, left: int, right: int) -> int:
    """Return the place of a pair of names, or the empty one where it belongs."""
    low, high = min(left, right), max(left, right)
    word = low << 32 | high
    slot = ((word * -7046029254386353131) >> (64 - PAIR_BITS)) & ((1 << PAIR_BITS) - 1)
    while memory[_PAIRS + slot * PAIR] not in (0, word):
        slot = (slot + 1) & ((1 << PAIR_BITS) - 1)
    return _PAIRS + slot * PAIR


@compiled
def remember(memory: Words, left: int, right: int, level: int, stranger: int, family: int) -> None:
    """Remember what two different names prove. Whoever calls begins anew at `MOST_PAIRS` (`forget`)."""
    at = _pair_slot(memory, left, right)
    if memory[at] == 0:
        memory[PAIR_COUNT] += 1
        memory[at] = min(left, right) << 32 | max(left, right)
    memory[at + 1] = level
    memory[at + 2] = stranger
    memory[at + 3] = family


@compiled
def forget(memory: Words) -> None:
    """Forget what pairs of names prove."""
    for place in range(_PAIRS, _PAIRS + (PAIR << PAIR_BITS), PAIR):
        memory[place] = 0
    memory[PAIR_COUNT] = 0


@compiled
def name(memory: Words, place: int, level: int, stranger: int, family: int) -> None:
    """Write what a name proves that two share."""
    at = _NAMES + place * NAME
    memory[at], memory[at + 1], memory[at + 2] = level, stranger, family


@compiled
def _ask_names(memory: Words, one: int, other: int, asked: int) -> int:
    """Write pairs of names of two nodes that are not remembered behind ``asked`` others in `OUT`; return how many
    there are now."""
    left, right = one + NAMES, other + NAMES
    first, second = _begin(memory, left), _begin(memory, right)
    for mine in range(first, first + _count(memory, left)):
        for others in range(second, second + _count(memory, right)):
            known = memory[mine] == memory[others] or memory[_pair_slot(memory, memory[mine], memory[others])]
            if not known:
                memory[OUT + 2 * asked] = memory[mine]
                memory[OUT + 2 * asked + 1] = memory[others]
                asked += 1
    return asked


@compiled
def _compare_names(memory: Words, one: int, other: int) -> tuple[int, int, int]:
    """Return the level (places of levels are in the order of their words) and the evidence of the best two names."""
    left, right = one + NAMES, other + NAMES
    first, second = _begin(memory, left), _begin(memory, right)
    level, stranger, family = -1, 0, 0
    for mine in range(first, first + _count(memory, left)):
        for others in range(second, second + _count(memory, right)):
            if memory[mine] == memory[others]:
                at = _NAMES + memory[mine] * NAME
            else:
                at = _pair_slot(memory, memory[mine], memory[others]) + 1
            least = min(memory[at + 1], memory[at + 2])
            known = min(stranger, family)
            if level < 0 or least > known or (least == known and memory[at] > level):
                level, stranger, family = memory[at], memory[at + 1], memory[at + 2]
    return level, stranger, family


# Scores.


@compiled
def _day(days: int) -> tuple[int, int, int]:
    """Return year, month and day (days since 1970-01-01, the calendar of Gregory)."""
    shifted = days + 719468
    era = shifted // 146097
    rest = shifted - era * 146097
    year_of_era = (rest - rest // 1460 + rest // 36524 - rest // 146096) // 365
    day_of_year = rest - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year_of_era + era * 400 + (1 if month <= 2 else 0), month, day


@compiled
def _is_reading(memory: Words, node: int, days: int) -> bool:
    return days != NO_BIRTH and (memory[node + READINGS] == days or memory[node + READINGS + 1] == days)


@compiled
def _is_lunar(memory: Words, node: int, days: int) -> bool:
    return bool(memory[node + LUNAR] == days or memory[node + LUNAR + 1] == days)


@compiled
def _compare_births(memory: Words, one: int, other: int, same_number: bool) -> int:
    left, right = memory[one + KNOWN_BIRTH], memory[other + KNOWN_BIRTH]
    if left != NO_BIRTH and right != NO_BIRTH:
        if left == right:
            stated = (memory[one + BIRTH] != NO_BIRTH) + (memory[other + BIRTH] != NO_BIRTH)
            if same_number and stated < 2:
                return _NUMBER_EQUAL_BIRTH if stated else _UNKNOWN
            _, month, day = _day(left)
            return _DEFAULT_EQUAL if month == 1 and day == 1 else _EQUAL
        year, month, day = _day(left)
        other_year, other_month, other_day = _day(right)
        level = _DIFFERENT_BIRTH
        if year == other_year and month == other_day and day == other_month:
            level = _SWAPPED
        elif _is_reading(memory, other, left) or _is_reading(memory, one, right):
            return _LUNAR_BIRTH
        elif (year == other_year) + (month == other_month) + (day == other_day) == 2:
            level = _ONE_PART
        elif year == other_year and ((month == 1 and day == 1) or (other_month == 1 and other_day == 1)):
            level = _YEAR_EQUAL
        if _is_lunar(memory, other, left) or _is_lunar(memory, one, right):
            return _LUNAR_BIRTH
        return level
    if memory[one + MONTH] and memory[other + MONTH]:
        return _MONTH_EQUAL if memory[one + MONTH] == memory[other + MONTH] else _MONTH_DIFFERENT
    return _UNKNOWN


@compiled
def _distance(left: int, right: int) -> int:
    """Return in how many places two numbers differ; exchanged neighbours are one."""
    count = 0
    previous = -2
    first = last = other_first = other_last = 0
    neighbours = False
    for place in range(_DIGITS):
        base = _CHECKS if place == 0 else 10
        mine, others = left % base, right % base
        left //= base
        right //= base
        if mine != others:
            count += 1
            if count == 1:
                first, other_first = mine, others
            else:
                neighbours = previous == place - 1
                last, other_last = mine, others
            previous = place
    if count == 2 and neighbours and first == other_last and last == other_first:
        return 1
    return count


@compiled
def _holds(memory: Words, place: int, item: int) -> bool:
    """Say whether a list of the array holds a word."""
    begin = _begin(memory, place)
    for one in range(begin, begin + _count(memory, place)):
        if memory[one] == item:
            return True
    return False


@compiled
def _common(memory: Words, place: int, other: int) -> bool:
    begin = _begin(memory, place)
    for one in range(begin, begin + _count(memory, place)):
        if _holds(memory, other, memory[one]):
            return True
    return False


@compiled
def _has_sign(memory: Words, node: int, key: int) -> bool:
    begin = _begin(memory, node + SIGNS)
    for one in range(begin, begin + _count(memory, node + SIGNS), 2):
        if memory[one] == key:
            return True
    return False


@compiled
def _share(memory: Words, one: int, other: int, kind: int) -> bool:
    """Say whether two nodes share a sign of a kind."""
    begin = _begin(memory, one + SIGNS)
    for place in range(begin, begin + _count(memory, one + SIGNS), 2):
        if memory[place] & _KIND == kind and _has_sign(memory, other, memory[place]):
            return True
    return False


@compiled
def _is_kin(memory: Words, node: int, own: int) -> bool:
    """Say whether the node's mentions give a number to a parent, spouse or child."""
    begin = _begin(memory, node + SIGNS)
    for place in range(begin, begin + _count(memory, node + SIGNS), 2):
        kind = memory[place] & _KIND
        if _PARENT_KIND <= kind <= _CHILD_KIND and memory[place] - kind == own:
            return True
    return False


@compiled
def _other_numbers(memory: Words, one: int, other: int) -> int:
    """Return the weight of what two say of numbers of which not both are their own; -1 for nothing."""
    mine = memory[one + NUMBER] if memory[one + NUMBER] else memory[one + DOUBTFUL]
    others = memory[other + NUMBER] if memory[other + NUMBER] else memory[other + DOUBTFUL]
    if not (mine or memory[one + INVALID] or _count(memory, one + EARLIER)):
        return -1
    if not (others or memory[other + INVALID] or _count(memory, other + EARLIER)):
        return -1
    if memory[one + NUMBER] and _holds(memory, other + EARLIER, memory[one + NUMBER]):
        return _EARLIER_NUMBER
    if memory[other + NUMBER] and _holds(memory, one + EARLIER, memory[other + NUMBER]):
        return _EARLIER_NUMBER
    if mine and mine == others:
        return _DOUBTFUL_EQUAL
    if mine and _holds(memory, other + EARLIER, mine):
        return _EARLIER_NUMBER
    if others and _holds(memory, one + EARLIER, others):
        return _EARLIER_NUMBER
    if _common(memory, one + EARLIER, other + EARLIER):
        return _EARLIER_NUMBER
    if memory[one + INVALID] and memory[one + INVALID] == memory[other + INVALID]:
        return _ONE_ERROR
    if not (memory[one + INVALID] and memory[other + INVALID]) and _share(memory, one, other, NUMBER_KIND):
        return _ONE_ERROR
    if mine and others:
        return _ONE_ERROR if _distance(mine, others) <= _NEAR_NUMBERS else _DOUBTFUL_DIFFERENT
    return -1


@compiled
def _weight(memory: Words, weight: int) -> tuple[int, int]:
    return memory[WEIGHTS + 2 * weight], memory[WEIGHTS + 2 * weight + 1]


@compiled
def score(memory: Words, one: int, other: int) -> int:
    """Return the score of two nodes whose names are remembered (`_ask_names`)."""
    one = _NODES + one * NODE
    other = _NODES + other * NODE
    stranger, family = _weight(memory, _PRIOR)
    number, another = memory[one + NUMBER], memory[other + NUMBER]
    weight = -1
    if number and another:
        if number == another:
            weight = _NUMBER_EQUAL
        elif _holds(memory, other + EARLIER, number) or _holds(memory, one + EARLIER, another):
            weight = _EARLIER_NUMBER
        elif not _share(memory, one, other, 0):
            births = number // 11_000 % 100_000_000 != another // 11_000 % 100_000_000
            if births and memory[one + KNOWN_BIRTH] != memory[other + KNOWN_BIRTH]:
                return _APART
            if _distance(number, another) <= _NEAR_NUMBERS:
                weight = _NEAR
            elif number // 11_000 == another // 11_000:
                weight = _SAME_REGION
            elif memory[one + BIRTH] != NO_BIRTH and memory[one + BIRTH] == memory[other + BIRTH]:
                weight = _DIFFERENT
            else:
                return _APART
    else:
        weight = _other_numbers(memory, one, other)
    same_number = weight in (_NUMBER_EQUAL, _EARLIER_NUMBER, _ONE_ERROR, _DOUBTFUL_EQUAL)
    if weight >= 0:
        against = _weight(memory, weight)
        stranger += against[0]
        family += against[1]
    level = -1
    if _count(memory, one + NAMES) and _count(memory, other + NAMES):
        names = _compare_names(memory, one, other)
        level = names[0]
        stranger += names[1]
        family += names[2]
    if weight in (_NEAR, _SAME_REGION, _DIFFERENT) and level != _EQUAL_NAME:
        # Only one who is called the same and born the same day can be one person with two numbers.
        return _APART
    birth = _compare_births(memory, one, other, same_number)
    if birth != _UNKNOWN:
        against = _weight(memory, _BIRTHS + birth)
        stranger += against[0]
        family += against[1]
    sex, other_sex = memory[one + KNOWN_SEX], memory[other + KNOWN_SEX]
    if sex and other_sex and not (same_number and not (memory[one + SEX] and memory[other + SEX])):
        against = _weight(memory, _SEX_EQUAL + (sex != other_sex))
        stranger += against[0]
        family += against[1]
    if memory[one + ORDER] and memory[other + ORDER]:
        against = _weight(memory, _ORDER_EQUAL + (memory[one + ORDER] != memory[other + ORDER]))
        stranger += against[0]
        family += against[1]
    certificate, another = memory[one + CERTIFICATE], memory[other + CERTIFICATE]
    if certificate and another and certificate != another:
        against = _weight(memory, _CERTIFICATE_DIFFERENT)
        stranger += against[0]
        family += against[1]
    more, most, sure = _context(memory, one, other)
    stranger += more
    family += most
    if weight < 0 and level < 0 and birth == _UNKNOWN and not sure:
        against = _weight(memory, _ALONE)
        stranger += against[0]
        family += against[1]
    return min(stranger, family)


@compiled
def _context(memory: Words, one: int, other: int) -> tuple[int, int, bool]:
    """Return the evidence of shared tokens, and whether one of them is the person's own."""
    left, right = _begin(memory, one + SIGNS), _begin(memory, other + SIGNS)
    left_end = left + _count(memory, one + SIGNS)
    right_end = right + _count(memory, other + SIGNS)
    shared = mine = others = 0
    for place in range(right, right_end, 2):
        others |= 1 << (memory[place] & _KIND)
    for place in range(left, left_end, 2):
        key = memory[place]
        kind = key & _KIND
        mine |= 1 << kind
        if kind >= _OTHER_KINDS or shared >> kind & 1 or not others >> kind & 1:
            continue
        for candidate in range(right, right_end, 2):
            if memory[candidate] == key:
                entry = memory[place + 1] & _HALF
                if entry == 0 or _holders(memory, memory[_ENTRIES + entry * _ENTRY] & _HALF) <= MOST:
                    shared |= 1 << kind
                break
    tokens = (1 << _OTHER_KINDS) - 1
    if not (mine & tokens and others & tokens):
        return 0, 0, False
    stranger = family = sure_stranger = sure_family = 0
    for kind in range(_OTHER_KINDS):
        if not shared >> kind & 1 or _PLACES >> kind & 1:
            continue
        against = _weight(memory, _TOKENS + kind)
        if kind <= _DOCUMENT_KIND:
            sure_stranger += against[0]
            sure_family += against[1]
        else:
            stranger += against[0]
            family += against[1]
    if shared & _PLACES:
        # The narrowest place that both share; a street or town tells only where one of the two says nothing narrower.
        both = mine & others
        if shared >> 4 & 1:
            narrowest, tells = 4, True
        elif shared >> 5 & 1:
            narrowest, tells = 5, True
        elif shared >> 14 & 1:
            narrowest, tells = 14, not both >> 5 & 1
        else:
            narrowest, tells = 15, not both >> 14 & 1
        if tells:
            against = _weight(memory, _TOKENS + narrowest)
            stranger += against[0]
            family += against[1]
    if shared:
        most = _weight(memory, _MOST)
        stranger = min(stranger, most[0])
        family = min(family, most[1])
    number, another = memory[one + NUMBER], memory[other + NUMBER]
    of_kin = number and _is_kin(memory, other, memory[one + OWN])
    of_kin = of_kin or (another and _is_kin(memory, one, memory[other + OWN]))
    if of_kin and number != another:
        against = _weight(memory, _OF_KIN)
        sure_stranger += against[0]
        sure_family += against[1]
    return stranger + sure_stranger, family + sure_family, shared & _OWN_KINDS != 0


@compiled
def keeps(memory: Words, value: int, one: int, other: int) -> bool:
    """Say whether a score is remembered: those near a link or above, and plain differences that can forbid one."""
    if value >= memory[REVIEW_FROM]:
        return True
    if value > memory[APART_FROM]:
        return False
    one = _NODES + one * NODE
    other = _NODES + other * NODE
    if memory[one + ORDER] and memory[other + ORDER] and memory[one + ORDER] != memory[other + ORDER]:
        return True
    if not (_count(memory, one + NAMES) and _count(memory, other + NAMES)):
        return False
    number = memory[one + NUMBER] if memory[one + NUMBER] else memory[one + DOUBTFUL]
    another = memory[other + NUMBER] if memory[other + NUMBER] else memory[other + DOUBTFUL]
    return bool(number != 0 and number == another)


# Edges: the other node and the score in one word.


@compiled
def _score_in(word: int) -> int:
    value = word & _HALF
    return value - (1 << 32) if value >> 31 else value


@compiled
def _cut(memory: Words, node: int, other: int) -> None:
    """Forget the edge from ``node`` to ``other``, one way."""
    place = _NODES + node * NODE + EDGES
    begin = _begin(memory, place)
    last = begin + _count(memory, place) - 1
    one = begin
    while memory[one] >> 32 != other:
        one += 1
    memory[one] = memory[last]
    _shorten(memory, place, 1)


@compiled
def _set_edge(memory: Words, node: int, other: int, value: int) -> bool:
    """Remember the edge from ``node`` to ``other``, one way; return whether it is another one than before."""
    place = _NODES + node * NODE + EDGES
    begin = _begin(memory, place)
    word = other << 32 | (value & _HALF)
    for one in range(begin, begin + _count(memory, place)):
        if memory[one] >> 32 == other:
            if memory[one] == word:
                return False
            memory[one] = word
            return True
    _push(memory, place, word)
    return True


@compiled
def _candidates(memory: Words, node: int) -> int:
    """Write the nodes that share a key with ``node``, itself left out, to `_FOUND`; return how many. Marks them."""
    stamp = memory[STAMP] = memory[STAMP] + 1
    own = _NODES + node * NODE
    memory[own + _MARK] = stamp
    numbered = memory[own + NUMBER] != 0
    count = 0
    begin = _begin(memory, own + SIGNS)
    for place in range(begin, begin + _count(memory, own + SIGNS), 2):
        entry = memory[place + 1] & _HALF
        if entry == 0:
            continue
        key = memory[_ENTRIES + entry * _ENTRY] & _HALF
        if _holders(memory, key) > MOST:
            continue
        heads = memory[_KEYS + key * KEY + 2]
        both = not numbered or _SURE >> (memory[place] & _KIND) & 1
        for side in range(2):
            if side == 1 and not both:
                continue
            entry = heads & _HALF if side == 0 else heads >> 32
            while entry:
                at = _ENTRIES + entry * _ENTRY
                other = memory[at] >> 32
                if memory[_NODES + other * NODE + _MARK] != stamp:
                    memory[_NODES + other * NODE + _MARK] = stamp
                    memory[_FOUND + count] = other
                    count += 1
                entry = memory[at + 1] & _HALF
    return count


@compiled
def candidates(memory: Words, node: int) -> int:
    """Write the nodes that share a key with ``node`` to `OUT`; return how many."""
    count = _candidates(memory, node)
    for one in range(count):
        memory[OUT + one] = memory[_FOUND + one]
    return count


@compiled
def ask(memory: Words, one: int, other: int) -> int:
    """Write the pairs of names of two nodes that are not remembered to `OUT`; return how many."""
    return _ask_names(memory, _NODES + one * NODE, _NODES + other * NODE, 0)


@compiled
def _connect(memory: Words, node: int, count: int) -> None:
    """Let the node have edges to the ``count`` nodes in `_FOUND`, each followed by its score, and to those that
    are done already: to no other."""
    stamp = memory[STAMP] = memory[STAMP] + 1
    for one in range(count):
        memory[_NODES + memory[_FOUND + 2 * one] * NODE + _MARK] = stamp
    place = _NODES + node * NODE + EDGES
    one = 0
    while one < _count(memory, place):
        other = memory[_begin(memory, place) + one] >> 32
        at = _NODES + other * NODE
        if memory[at + _MARK] == stamp or memory[at + FLAGS] & _DONE:
            one += 1
        else:
            _cut(memory, node, other)
            _cut(memory, other, node)
            _soil(memory, node)
            _soil(memory, other)
    for one in range(count):
        other, value = memory[_FOUND + 2 * one], memory[_FOUND + 2 * one + 1]
        if _set_edge(memory, node, other, value):
            _set_edge(memory, other, node, value)
            _soil(memory, node)
            _soil(memory, other)
    memory[_NODES + node * NODE + FLAGS] |= _DONE


@compiled
def _settle(memory: Words, node: int) -> int:
    """Compare one node; return how many pairs of names have to be known first, in `OUT`."""
    found = _candidates(memory, node)
    count = asked = 0
    for one in range(found):
        other = memory[_FOUND + one]
        if not memory[_NODES + other * NODE + FLAGS] & _DONE:
            asked = _ask_names(memory, _NODES + node * NODE, _NODES + other * NODE, asked)
            memory[_FOUND + count] = other
            count += 1
    if asked:
        return asked
    kept = 0
    # From the end, since each that is kept takes two words.
    for one in range(count):
        memory[_FOUND + 2 * found + one] = memory[_FOUND + one]
    for one in range(count):
        other = memory[_FOUND + 2 * found + one]
        value = score(memory, node, other)
        if keeps(memory, value, node, other):
            memory[_FOUND + 2 * kept] = other
            memory[_FOUND + 2 * kept + 1] = value
            kept += 1
    _connect(memory, node, kept)
    return 0


@compiled
def settle(memory: Words) -> int:
    """Compare what was touched, until it is done or something must be known.

    Returns how many nodes have other edges, or share a number with one more or less; they are in `OUT`. Below zero,
    so many pairs of names are asked for in `OUT`: remember them and call again. `DECIDED_NEXT`: decisions are about
    the node in the first word of `OUT`: `connect` it and call again.
    """
    while memory[TOUCHED_DONE] < memory[TOUCHED_COUNT]:
        node = memory[_TOUCHED + memory[TOUCHED_DONE]]
        at = _NODES + node * NODE
        if not memory[at + FLAGS] & _DONE:
            if memory[at + MEMBERS] == 0:
                begin = _begin(memory, at + EDGES)
                for one in range(begin, begin + _count(memory, at + EDGES)):
                    other = memory[one] >> 32
                    _cut(memory, other, node)
                    _soil(memory, other)
                _release(memory, memory[at + EDGES])
                memory[at + EDGES] = 0
                memory[at + FLAGS] |= _DONE
            elif memory[at + FLAGS] & DECIDED:
                memory[OUT] = node
                return DECIDED_NEXT
            else:
                asked = _settle(memory, node)
                if asked:
                    return -asked
        memory[TOUCHED_DONE] += 1
    count = 0
    for one in range(memory[DIRTY_COUNT]):
        node = memory[_DIRTY + one]
        at = _NODES + node * NODE
        memory[at + FLAGS] &= ~_IS_DIRTY
        if memory[at + MEMBERS]:
            memory[OUT + count] = node
            count += 1
    for one in range(memory[TOUCHED_COUNT]):
        node = memory[_TOUCHED + one]
        at = _NODES + node * NODE
        memory[at + FLAGS] &= ~(_IS_TOUCHED | _DONE)
        if memory[at + MEMBERS] == 0:
            memory[at + _PLACE] = memory[FREE_NODE]
            memory[FREE_NODE] = node
    memory[TOUCHED_COUNT] = memory[TOUCHED_DONE] = memory[DIRTY_COUNT] = 0
    return count


@compiled
def connect(memory: Words, node: int, found: Words) -> None:
    """Let a touched node have the edges of ``found``, other nodes and scores, beside those to nodes done before."""
    count = 0
    for one in range(0, found.size, 2):
        if not memory[_NODES + found[one] * NODE + FLAGS] & _DONE:
            memory[_FOUND + count] = found[one]
            memory[_FOUND + count + 1] = found[one + 1]
            count += 2
    _connect(memory, node, count // 2)


@compiled
def rest(memory: Words) -> None:
    """Take the graph as it is for settled."""
    for one in range(memory[TOUCHED_COUNT]):
        memory[_NODES + memory[_TOUCHED + one] * NODE + FLAGS] &= ~(_IS_TOUCHED | _DONE)
    for one in range(memory[DIRTY_COUNT]):
        memory[_NODES + memory[_DIRTY + one] * NODE + FLAGS] &= ~_IS_DIRTY
    memory[TOUCHED_COUNT] = memory[TOUCHED_DONE] = memory[DIRTY_COUNT] = 0


# What is connected.


@compiled
def _is_bare(memory: Words, node: int) -> bool:
    at = _NODES + node * NODE
    return memory[at + NUMBER] != 0 and _count(memory, at + NAMES) == 0


@compiled
def component(memory: Words, start: int) -> tuple[int, int]:
    """Write the nodes that ``start`` is connected with by links, itself first, to `OUT`, and behind them the number or
    doubtful number of each; return how many, and what is so of them. Of one alone it follows how many nodes mean its
    number.

    `WHOLE`: no constraint can cut them. `NEAR`: one of them could be of a review with one outside. `WITH_DECISION`:
    a decision is about one.
    """
    stamp = memory[STAMP] = memory[STAMP] + 1
    memory[_NODES + start * NODE + _MARK] = stamp
    memory[OUT] = start
    count = 1
    done = 0
    number = bare = named = 0
    told = WHOLE
    link, review, apart = memory[LINK_FROM], memory[REVIEW_FROM], memory[APART_FROM]
    while done < count:
        node = memory[OUT + done]
        done += 1
        at = _NODES + node * NODE
        own = memory[at + NUMBER]
        if own:
            if number and number != own:
                told &= ~WHOLE
            number = own
        if _is_bare(memory, node):
            bare += 1
        else:
            named = node
        if memory[at + FLAGS] & DECIDED:
            told |= WITH_DECISION
        begin = _begin(memory, at + EDGES)
        for place in range(begin, begin + _count(memory, at + EDGES)):
            value = _score_in(memory[place])
            other = memory[place] >> 32
            if value >= link and memory[_NODES + other * NODE + _MARK] != stamp:
                memory[_NODES + other * NODE + _MARK] = stamp
                memory[OUT + count] = other
                count += 1
    for one in range(count):
        at = _NODES + memory[OUT + one] * NODE
        begin = _begin(memory, at + EDGES)
        for place in range(begin, begin + _count(memory, at + EDGES)):
            value = _score_in(memory[place])
            inside = memory[_NODES + (memory[place] >> 32) * NODE + _MARK] == stamp
            if inside and value <= apart:
                told &= ~WHOLE
            if not inside and value >= review:
                told |= NEAR
        memory[OUT + count + one] = memory[at + NUMBER] if memory[at + NUMBER] else memory[at + DOUBTFUL]
    if count == 1:
        # What a node is found by stands before its tokens, its number first.
        entry = memory[_begin(memory, _NODES + start * NODE + SIGNS) + 1] & _HALF if memory[OUT + 1] else 0
        memory[OUT + 2] = _holders(memory, memory[_ENTRIES + entry * _ENTRY] & _HALF) if entry else 0
    if told & WHOLE and bare and named:
        # Who has a name must be connected without those who have none.
        stamp = memory[STAMP] = memory[STAMP] + 1
        memory[_NODES + named * NODE + _MARK] = stamp
        memory[_FOUND] = named
        reached = 1
        done = 0
        while done < reached:
            at = _NODES + memory[_FOUND + done] * NODE
            done += 1
            begin = _begin(memory, at + EDGES)
            for place in range(begin, begin + _count(memory, at + EDGES)):
                other = memory[place] >> 32
                is_new = memory[_NODES + other * NODE + _MARK] != stamp
                if is_new and _score_in(memory[place]) >= link and not _is_bare(memory, other):
                    memory[_NODES + other * NODE + _MARK] = stamp
                    memory[_FOUND + reached] = other
                    reached += 1
        if reached + bare != count:
            told &= ~WHOLE
    return count, told


@compiled
def outside(memory: Words, nodes: Words) -> int:
    """Write the edges from ``nodes`` to others that a review can be of, or that forbid one, to `OUT`: node, other,
    score. Returns how many."""
    stamp = memory[STAMP] = memory[STAMP] + 1
    for node in nodes:
        memory[_NODES + node * NODE + _MARK] = stamp
    count = 0
    for node in nodes:
        place = _NODES + node * NODE + EDGES
        begin = _begin(memory, place)
        for one in range(begin, begin + _count(memory, place)):
            value = _score_in(memory[one])
            other = memory[one] >> 32
            if memory[APART_FROM] < value < memory[REVIEW_FROM]:
                continue
            if memory[_NODES + other * NODE + _MARK] != stamp:
                memory[OUT + 3 * count] = node
                memory[OUT + 3 * count + 1] = other
                memory[OUT + 3 * count + 2] = value
                count += 1
    return count


@compiled
def edges(memory: Words, node: int) -> int:
    """Write a node's edges to `OUT`: other, score. Returns how many."""
    place = _NODES + node * NODE + EDGES
    begin = _begin(memory, place)
    count = _count(memory, place)
    for one in range(count):
        memory[OUT + 2 * one] = memory[begin + one] >> 32
        memory[OUT + 2 * one + 1] = _score_in(memory[begin + one])
    return count


@compiled
def signs(memory: Words, node: int) -> int:
    """Write a node's signs to `OUT`: key, mentions that have it. Returns how many."""
    place = _NODES + node * NODE + SIGNS
    begin = _begin(memory, place)
    count = _count(memory, place) // 2
    for one in range(count):
        memory[OUT + 2 * one] = memory[begin + 2 * one]
        memory[OUT + 2 * one + 1] = memory[begin + 2 * one + 1] >> 32
    return count


@compiled
def flags(memory: Words, node: int) -> int:
    """Return a node's flags: `SHARED`, `DECIDED`."""
    value: int = memory[_NODES + node * NODE + FLAGS]
    return value & (SHARED | DECIDED)


@compiled
def number(memory: Words, node: int) -> int:
    """Return a node's own number, 0 when it has none."""
    value: int = memory[_NODES + node * NODE + NUMBER]
    return value


def used(memory: Words, names: int) -> list[tuple[int, int]]:
    """Return the parts of the array that hold something: where each begins, and how many words it has. The order is
    that of the regions, ``names`` are in use; touched and dirty nodes must be settled before."""
    return [
        (0, 256),
        (_NODES, (int(memory[NEXT_NODE]) + 1) * NODE),
        (_KEYS, (int(memory[NEXT_KEY]) + 1) * KEY),
        (_BUCKETS, int(memory[BUCKET_COUNT])),
        (_ENTRIES, (int(memory[NEXT_ENTRY]) + 1) * _ENTRY),
        (_POOL, int(memory[POOL_END])),
        (_NAMES, (names + 1) * NAME),
    ]
