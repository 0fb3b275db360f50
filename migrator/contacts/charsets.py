"""Which charset the bytes of a card are in where it does not say. A guess, but the same guess every time.

UTF-8 is known by itself. In one-byte charsets, Western text has single letters above ASCII among plain ones, while Cyrillic, Greek, Hebrew
or Asian text is made of them: that alone tells the two families apart, within the second the letters that come out decide.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable
from encodings.aliases import aliases

from migrator.meant import did_you_mean

ASCII = 0x7F  # where it ends
SHORT_WORD = 3  # "Ü" and "Åé" are Western
LONGEST_LABEL = 60  # characters of it that are repeated
WESTERN = "cp1252"
_DENSE = 0.4  # of the octets of words that are not plain ASCII
_WESTERN_LIKENESS = 0.5  # of a word made of letters above ASCII, as no Western one is
_HIGH_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_WORD = re.compile(r"[^\W\d_]+|\S")
_LATIN_1 = frozenset({"iso8859-1", "ascii"})  # what is labelled so is Windows' superset more often than not

# Letters that make most of a text, or of names and addresses: what comes out in the wrong charset has few of them.
_CYRILLIC = frozenset("оеаинтсрвлкмдпуя")
_GREEK = frozenset("αοιετσνηυρπκμλςάέίόήύ")
_HEBREW = frozenset("יוהלאתברמנשדכ")
_ARABIC = frozenset("اليمونترببعدسحكفة")
_KANA = frozenset(chr(number) for number in range(0x3041, 0x30FD))
_HANGUL = frozenset(
    "이김박최정강조윤장임한오서신권황안송전홍가나다라마바사아자하고구기도동두로리모무미민보부비선성소수순시영예우원유은의인일재주준지진"
    "현호혜희회식늘울산대경남북특별광역길번층호역읍면청"
)
_HAN = frozenset(
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡林郭何高罗羅郑鄭梁谢謝宋唐许許邓鄧冯馮韩韓曹曾彭蔡潘田董袁余叶葉蒋杜苏蘇魏程吕丁沈任姚"
    "小大中文明国國华華北京上海台湾灣市区區路号號楼樓省县縣街镇鎮村公司有限科技工作人一二三四五六七八九十年月日东東西南山本川木村藤佐伊井上下"
    "原野口松石太郎子美都府町丁目株式会社部長室営業先生电電话話手机機家技术研发開发周午喜欢茶空第行"
)
_ALPHABETS = {"cp1251": _CYRILLIC, "koi8-r": _CYRILLIC, "cp1253": _GREEK, "cp1255": _HEBREW, "cp1256": _ARABIC}
# The first octets of everyday letters in charsets of two octets.
_EVERYDAY = {
    "gb18030": (_HAN, range(0xB0, 0xD8)),
    "big5": (_HAN, range(0xA4, 0xC7)),
    "shift_jis": (_HAN | _KANA, range(0x88, 0x98)),
    "euc_jp": (_HAN | _KANA, range(0xB0, 0xD0)),
    "euc_kr": (_HANGUL, range(0xB0, 0xC9)),
}
_COMMON, _LETTER, _RARE, _NO_LETTER = 1.0, 0.45, 0.1, -1.0


def decode(value: bytes, charset: str) -> str:
    """The text; in a Western charset every byte is some letter. Raises UnicodeDecodeError."""
    if charset == WESTERN:
        try:
            return value.decode(WESTERN)
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return value.decode(charset)


def known(label: str) -> str:
    """The codec a CHARSET label means; "" if nobody knows it, or if it is none of text."""
    try:
        found = codecs.lookup(label.strip().strip("\"'"))
        "a".encode(found.name)  # refuses those that are no letters' (rot13, zlib), which decoding nothing does not
    except (LookupError, ValueError):
        return ""
    if found.name in {"idna", "punycode", "undefined"}:
        return ""
    return WESTERN if found.name in _LATIN_1 else found.name


def must_be_known(label: str) -> str:
    """The label as it is. Raises ValueError, with the one that was probably meant, where no charset is called so."""
    if known(label):
        return label
    usual = {name.replace("_", "-") for name in (*aliases, *aliases.values()) if known(name)}
    hint = did_you_mean(label.strip().lower().replace("_", "-"), usual)
    raise ValueError(f"no charset is called {label[:LONGEST_LABEL] or '“”'}.{hint}")


def guess(texts: Iterable[bytes]) -> str:
    """The charset of texts that are not UTF-8."""
    whole = b"\n".join(texts)
    words = _HIGH_WORD.findall(whole)
    octets = b"".join(words)
    high = sum(octet > ASCII for octet in octets)
    if not octets or high / len(octets) < _DENSE or max(map(len, words)) < SHORT_WORD:
        return WESTERN
    likely = {charset: _likeness(whole, charset) for charset in (*_ALPHABETS, *_EVERYDAY)}
    best = max(likely, key=lambda charset: likely[charset])
    return best if likely[best] > _WESTERN_LIKENESS else WESTERN


def _likeness(text: bytes, charset: str) -> float:
    """How much a text looks like one in this charset, at most about 1."""
    try:
        decoded = text.decode(charset)
    except UnicodeDecodeError:
        return _NO_LETTER
    if charset in _EVERYDAY:
        common, everyday = _EVERYDAY[charset]
        scores = [_of_two_octets(letter, charset, common, everyday) for letter in decoded if ord(letter) > ASCII]
    else:
        scores = [score for word in _WORD.findall(decoded) for score in _of_alphabet(word, _ALPHABETS[charset])]
    return sum(scores) / len(scores) if scores else _NO_LETTER


def _of_two_octets(letter: str, charset: str, common: frozenset[str], everyday: range) -> float:
    if letter in common:
        return _COMMON
    octets = letter.encode(charset)
    if len(octets) == 1:
        return _RARE  # half-width katakana, of which any octets make some
    if not letter.isalpha():
        return _RARE if unicodedata.category(letter).startswith("P") else _NO_LETTER
    return _LETTER if octets[0] in everyday else _RARE


def _of_alphabet(word: str, common: frozenset[str]) -> list[float]:
    """A score for each letter above ASCII of a word; a word in two scripts, or with a capital in its midst, is none."""
    high = [letter for letter in word if ord(letter) > ASCII]
    if not high or not word.isalpha():
        return [_RARE if unicodedata.category(letter).startswith(("P", "S")) else _NO_LETTER for letter in high]
    if len(high) < len(word) or not (word[1:] == word[1:].lower() or word.isupper()):
        return [_NO_LETTER] * len(high)
    return [_COMMON if letter.lower() in common else _LETTER for letter in high]
