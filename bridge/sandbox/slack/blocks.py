"""What Slack refuses in ``blocks``: counts and lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bridge.sandbox.slack.call import ApiError
from bridge.sandbox.slack.workspace import Json

_MAX_BLOCKS = 50  # in a message; modals and App Home have 100
_MAX_TOTAL = 13_200  # characters of all text; undocumented, observed
_MAX_MARKDOWN = 12_000  # characters of all markdown blocks together
_PASSED_ON = frozenset({"divider", "rich_text", "table", "video", "file", "input"})


def check_blocks(blocks: Any) -> list[Json] | None:
    """Return a message's ``blocks`` as they came; None when there are none.

    Raises:
        ApiError: ``invalid_blocks`` with one message per fault,
            ``invalid_blocks_format``, or ``msg_blocks_too_long``.
    """
    if blocks is None:
        return None
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        raise ApiError("invalid_blocks_format")
    if faults := list(_faults(blocks)):
        raise ApiError(
            "invalid_blocks",
            response_metadata={"messages": [f"[ERROR] {fault}" for fault in faults]},
        )
    if sum(map(len, _texts(blocks))) > _MAX_TOTAL:
        raise ApiError("msg_blocks_too_long")
    return blocks


def _faults(blocks: list[Json]) -> Iterator[str]:
    if len(blocks) > _MAX_BLOCKS:
        yield f"no more than {_MAX_BLOCKS} items allowed [json-pointer:/blocks]"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(map(str, ids))):
        yield "`block_id` must be unique [json-pointer:/blocks]"
    markdown = [
        block.get("text") for block in blocks if block.get("type") == "markdown"
    ]
    if sum(len(text) for text in markdown if isinstance(text, str)) > _MAX_MARKDOWN:
        yield f"markdown blocks exceed {_MAX_MARKDOWN} characters"
    for index, block in enumerate(blocks):
        where = f"/blocks/{index}"
        yield from _too_long(block.get("block_id"), 255, f"{where}/block_id")
        yield from _of_block(block, where)


def _of_block(block: Json, where: str) -> Iterator[str]:
    kind = block.get("type")
    if check := _CHECKS.get(str(kind)):
        yield from check(block, where)
    elif kind not in _PASSED_ON:
        yield f"unsupported type: {kind} [json-pointer:{where}/type]"


def _section(block: Json, where: str) -> Iterator[str]:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        yield f"missing required field: text [json-pointer:{where}]"
    if block.get("text") is not None:
        yield from _text_object(block["text"], 3000, f"{where}/text")
    yield from _count(fields or [], 10, f"{where}/fields")
    for index, each in enumerate(fields or []):
        yield from _text_object(each, 2000, f"{where}/fields/{index}")
    if block.get("accessory") is not None:
        yield from _element(block["accessory"], f"{where}/accessory")


def _header(block: Json, where: str) -> Iterator[str]:
    yield from _text_object(block.get("text"), 150, f"{where}/text", plain=True)


def _context(block: Json, where: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _count(elements, 10, f"{where}/elements", least=1)
    for index, each in enumerate(elements if isinstance(elements, list) else []):
        at = f"{where}/elements/{index}"
        is_image = isinstance(each, dict) and each.get("type") == "image"
        yield from _image(each, at) if is_image else _text_object(each, 2000, at)


def _actions(block: Json, where: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _count(elements, 25, f"{where}/elements", least=1)
    for index, each in enumerate(elements if isinstance(elements, list) else []):
        yield from _element(each, f"{where}/elements/{index}")


def _image(block: Json, where: str) -> Iterator[str]:
    if not block.get("alt_text"):
        yield f"missing required field: alt_text [json-pointer:{where}]"
    if not block.get("image_url") and not block.get("slack_file"):
        yield f"missing required field: image_url [json-pointer:{where}]"


def _markdown(block: Json, where: str) -> Iterator[str]:
    if not isinstance(block.get("text"), str) or not block["text"]:
        yield f"missing required field: text [json-pointer:{where}]"


def _element(element: Any, where: str) -> Iterator[str]:
    if not isinstance(element, dict) or not element.get("type"):
        yield f"missing required field: type [json-pointer:{where}]"
        return
    yield from _too_long(element.get("action_id"), 255, f"{where}/action_id")
    if element["type"] == "button":
        yield from _text_object(element.get("text"), 75, f"{where}/text", plain=True)
        yield from _too_long(element.get("value"), 2000, f"{where}/value")
        yield from _too_long(element.get("url"), 3000, f"{where}/url")
    if (dialog := element.get("confirm")) is not None:
        yield from _confirm(dialog, f"{where}/confirm")


def _confirm(dialog: Any, where: str) -> Iterator[str]:
    if not isinstance(dialog, dict):
        yield f"must be an object [json-pointer:{where}]"
        return
    for part, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        yield from _text_object(dialog.get(part), most, f"{where}/{part}", plain=True)


def _text_object(
    value: Any, most: int, where: str, *, plain: bool = False
) -> Iterator[str]:
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(value, dict) or value.get("type") not in kinds:
        yield f"must be a {' or '.join(kinds)} object [json-pointer:{where}]"
    elif not isinstance(value.get("text"), str) or not value["text"]:
        yield f"must be more than 0 characters [json-pointer:{where}/text]"
    else:
        yield from _too_long(value["text"], most, f"{where}/text")


def _too_long(value: Any, most: int, where: str) -> Iterator[str]:
    if value is not None and len(str(value)) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{where}]"


def _count(value: Any, most: int, where: str, least: int = 0) -> Iterator[str]:
    if not isinstance(value, list) or len(value) < least:
        yield f"no fewer than {least} items required [json-pointer:{where}]"
    elif len(value) > most:
        yield f"no more than {most} items allowed [json-pointer:{where}]"


def _texts(value: Any) -> Iterator[str]:
    match value:
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for key, each in value.items():
                if key == "text" and isinstance(each, str):
                    yield each
                else:
                    yield from _texts(each)


_CHECKS: dict[str, Callable[[Json, str], Iterable[str]]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "markdown": _markdown,
}
