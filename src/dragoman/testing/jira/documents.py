"""The Atlassian document format in the emulated Jira: checked, made from text, shown as text.

Called by `edits` (what comes in) and `render` (what version 2 shows). It is written apart from
the adapter's own reading of documents, so that the two check each other.
Source: Atlassian document format, "Document structure"; only nodes that text can be made of.
"""

from collections.abc import Mapping

NOT_A_DOCUMENT = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
INVALID = "INVALID_INPUT"
_BLOCKS = {
    "doc": {"paragraph", "heading", "codeBlock", "bulletList", "orderedList", "blockquote", "rule"},
    "bulletList": {"listItem"},
    "orderedList": {"listItem"},
    "listItem": {"paragraph", "bulletList", "orderedList", "codeBlock"},
    "blockquote": {"paragraph", "bulletList", "orderedList"},
    "paragraph": {"text", "hardBreak", "mention", "emoji", "inlineCard"},
    "heading": {"text", "hardBreak", "mention", "emoji", "inlineCard"},
    "codeBlock": {"text"},
}
"""Node → what may stand in it."""


def problem(value: object) -> str:
    """What is wrong with a document, "" if nothing."""
    if not isinstance(value, Mapping) or value.get("type") != "doc":
        return NOT_A_DOCUMENT
    if value.get("version") != 1 or not isinstance(value.get("content"), list):
        return INVALID
    return _problem(value)


def _problem(node: Mapping[str, object]) -> str:
    kind = str(node.get("type"))
    if kind == "text":
        text = node.get("text")
        return "" if isinstance(text, str) and text else INVALID
    allowed = _BLOCKS.get(kind, set())
    children = node.get("content", [])
    if not isinstance(children, list):
        return INVALID
    for child in children:
        if not isinstance(child, Mapping) or child.get("type") not in allowed:
            return INVALID
        wrong = _problem(child)
        if wrong:
            return wrong
    return ""


def from_text(text: str) -> dict[str, object]:
    """A document of one paragraph a line."""
    lines = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []}
        for line in text.split("\n")
    ]
    return {"type": "doc", "version": 1, "content": lines}


def to_text(document: object) -> str:
    """A document as version 2 shows it: text, a line for each paragraph."""
    if not isinstance(document, Mapping):
        return ""
    parts: list[str] = []
    for child in _children(document):
        match child.get("type"):
            case "text":
                parts.append(str(child.get("text")))
            case "hardBreak":
                parts.append("\n")
            case "paragraph" | "heading" | "codeBlock" | "listItem" | "blockquote":
                parts.append(to_text(child) + "\n")
            case _:
                parts.append(to_text(child))
    text = "".join(parts)
    return text.rstrip("\n") if document.get("type") == "doc" else text


def _children(node: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = node.get("content")
    return (
        [child for child in found if isinstance(child, Mapping)] if isinstance(found, list) else []
    )
