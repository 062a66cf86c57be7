"""The lines of keys in TOML texts."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from dragoman.config.positions import Path, positions

TEXT = '''# a comment with [brackets] = "and more"
top = 1
[site] # comment
name = "a # b = ] }"
"quoted \\" key" = 'lit # eral'
a.b . "c" = 2

[[api.tokens]]
name = "one"
token = { env = "A", deep = { x = [1, { y = 2 }] } }
[api.tokens.more]
x = 1
[[api.tokens]]
name = """
multi " line
"""""
list = [
  1, # one
  "]",
  [2,
   3],
  { k = """\\""" ] """ },
]
[last]
when = 1979-05-27T07:32:00Z
end = true'''


def test_lines_of_all_kinds_of_keys() -> None:
    lines = positions(TEXT)
    expected: dict[Path, int] = {
        ("top",): 2,
        ("site",): 3,
        ("site", "name"): 4,
        ("site", 'quoted " key'): 5,
        ("site", "a", "b", "c"): 6,
        ("api", "tokens"): 8,
        ("api", "tokens", 0): 8,
        ("api", "tokens", 0, "token", "env"): 10,
        ("api", "tokens", 0, "token", "deep", "x", 1, "y"): 10,
        ("api", "tokens", 0, "more", "x"): 12,
        ("api", "tokens", 1): 13,
        ("api", "tokens", 1, "name"): 14,
        ("api", "tokens", 1, "list"): 17,
        ("api", "tokens", 1, "list", 2): 20,
        ("api", "tokens", 1, "list", 2, 1): 21,
        ("api", "tokens", 1, "list", 3, "k"): 22,
        ("last", "when"): 25,
        ("last", "end"): 26,
    }
    assert {path: lines.get(path) for path in expected} == expected
    assert paths(tomllib.loads(TEXT)) <= set(lines)


def test_windows_line_ends() -> None:
    assert positions("[a]\r\nb = 1\r\n\r\n[c]\r\nd = 2\r\n")[("c", "d")] == 5


def paths(value: object, at: Path = ()) -> set[Path]:
    """All paths of a parsed document."""
    if isinstance(value, dict):
        items: list[tuple[str | int, object]] = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return set()
    found = {(*at, key) for key, _ in items}
    return found.union(*(paths(inner, (*at, key)) for key, inner in items))


keys = st.from_regex(r"[a-z0-9_-]{1,4}", fullmatch=True)
scalars = st.one_of(
    st.integers(-99, 99).map(str),
    st.sampled_from(['"x]"', "'#'", '"a\\"}"', '"""\n"q" \\\\"""', "'''\n]'''", "1.5", "[]", "{}"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda xs: "[\n" + ", # c\n".join(xs) + "\n]"),
        st.dictionaries(keys, inner, max_size=3).map(
            lambda d: "{ " + ", ".join(f'"{k}" = {v}' for k, v in d.items()) + " }"
        ),
    ),
    max_leaves=8,
)
tables = st.tuples(
    st.sampled_from(["[t{}]", "[t{}.x]", "[[u]]", "[[u]]\n[u.v]"]),
    st.dictionaries(keys, values, max_size=4),
)


@given(st.lists(tables, max_size=4))
def test_every_key_has_its_line(written: list[tuple[str, dict[str, str]]]) -> None:
    """Exactly the keys of the document are found, each on a line that holds its name."""
    text = ""
    for number, (header, pairs) in enumerate(written):
        text += header.format(number) + "\n"
        text += "".join(f"  {key} = {value}\n" for key, value in pairs.items())
    document = tomllib.loads(text)
    lines = positions(text)
    assert set(lines) == paths(document)
    source = text.splitlines()
    for path, line in lines.items():
        if isinstance(path[-1], str) and path[-1] not in ("u", "v", "x"):
            assert path[-1] in source[line - 1]
