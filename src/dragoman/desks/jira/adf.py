"""Atlassian documents: made from plain text, and read back to it.

Used by `fields.py` and `rest.py`: version 3 of the API writes and shows descriptions, comments and
paragraph fields this way. Source: Atlassian document format, "Document structure".
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

_DEEPEST = 60
"""Levels of a document that are read; a hostile one has more."""


def document(text: str) -> dict[str, object]:
    """A document with a paragraph for each block of lines between empty ones."""
    blocks = text.replace("\r\n", "\n").split("\n\n")
    return {"type": "doc", "version": 1, "content": [_paragraph(block) for block in blocks]}


def _paragraph(block: str) -> dict[str, object]:
    content: list[object] = []
    for index, line in enumerate(block.split("\n")):
        if index:
            content.append({"type": "hardBreak"})
        if line:  # a text node must not be empty
            content.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": content}


def is_document(value: object) -> bool:
    """Whether a field's value is a document."""
    return isinstance(value, Mapping) and value.get("type") == "doc"


def plain(node: object, depth: int = 0) -> str:
    """The text of a document or of a part of one; what has no text is left out."""
    if not isinstance(node, Mapping) or depth > _DEEPEST:
        return ""
    kind = node.get("type")
    attributes = node.get("attrs")
    leaf = _leaf(str(kind), node, attributes if isinstance(attributes, Mapping) else {})
    if leaf is not None:
        return leaf
    children = node.get("content")
    parts = [plain(child, depth + 1) for child in children] if isinstance(children, list) else []
    match kind:
        case "paragraph" | "heading" | "codeBlock":
            return "".join(parts)
        case "bulletList" | "taskList" | "decisionList":
            return _listed(["-"] * len(parts), parts)
        case "orderedList":
            return _listed([f"{number}." for number in range(1, len(parts) + 1)], parts)
        case "tableRow":
            return " | ".join(parts)
        case "table" | "listItem" | "tableCell" | "tableHeader":
            return "\n".join(parts)
        case "taskItem" | "decisionItem" | "caption":
            return "".join(parts)
        case _:
            return "\n\n".join(parts)


def _listed(marks: Sequence[str], parts: Sequence[str]) -> str:
    pairs = zip(marks, parts, strict=True)
    return "\n".join(f"{mark} {part}".replace("\n", "\n  ") for mark, part in pairs)


def _leaf(
    kind: str, node: Mapping[object, object], attributes: Mapping[object, object]
) -> str | None:
    """The text of a node that holds no others; None if it may hold some."""
    match kind:
        case "text":
            return str(node.get("text", ""))
        case "hardBreak":
            return "\n"
        case "rule":
            return "----"
        case "mention" | "status" | "placeholder":
            return str(attributes.get("text", ""))
        case "emoji":
            return str(attributes.get("text") or attributes.get("shortName", ""))
        case "inlineCard" | "blockCard" | "embedCard":
            return str(attributes.get("url", ""))
        case "date":
            return _date(attributes.get("timestamp"))
        case "media" | "mediaInline":
            return f"[{attributes.get('alt') or 'attachment'}]"
        case _:
            return None


def _date(timestamp: object) -> str:
    """A date node holds milliseconds since 1970."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(str(timestamp)))
    except (ValueError, OverflowError):
        return ""
    return moment.date().isoformat()
