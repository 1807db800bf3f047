"""Which characters sound the same, tones aside: the commonest slip of those who type by sound."""

from functools import cache

from pypinyin import lazy_pinyin


@cache
def same_sounds() -> tuple[str, ...]:
    """Groups of two and more characters of GB 2312 with one first reading, in code order; from pypinyin's table."""
    alike: dict[str, list[str]] = {}
    for character in map(chr, range(0x4E00, 0xA000)):
        if character.encode("gb2312", "ignore"):
            alike.setdefault(lazy_pinyin(character)[0], []).append(character)
    return tuple("".join(group) for group in alike.values() if len(group) > 1)
