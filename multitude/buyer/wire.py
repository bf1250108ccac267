"""Fields of a market's answers, checked: whatever does not fit raises ApiHostile."""

from collections.abc import Mapping
from typing import Any

from multitude.errors import ApiHostile

NUMBER_DIGITS_MAX = 39


def text_of(value: Mapping[str, Any], name: str, most: int = 4096) -> str:
    """A string of an answer. Raises ApiHostile."""
    found = value.get(name)
    if not isinstance(found, str) or len(found) > most:
        raise ApiHostile(f"{name} is not a string of at most {most} characters")
    return found


def number_of(value: Mapping[str, Any], name: str) -> int:
    """A whole number of an answer, as such or as a decimal string. Raises ApiHostile."""
    found = value.get(name)
    if type(found) is int and 0 <= found < 2**64:
        return found
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= NUMBER_DIGITS_MAX:
        return int(found)
    raise ApiHostile(f"{name} is not a number: {str(found)[:50]!r}")


def optional_number_of(value: Mapping[str, Any], name: str) -> int | None:
    """A whole number of an answer, or None. Raises ApiHostile."""
    return None if value.get(name) is None else number_of(value, name)


def seconds_of(value: Mapping[str, Any], name: str) -> float:
    """A time in seconds. Raises ApiHostile."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e12:
        raise ApiHostile(f"{name} is not a time: {str(found)[:50]!r}")
    return float(found)


def list_of(value: Mapping[str, Any], name: str, most: int) -> list[Any]:
    """A list of an answer. Raises ApiHostile."""
    found = value.get(name)
    if not isinstance(found, list) or len(found) > most:
        raise ApiHostile(f"{name} is not a list of at most {most}")
    return found


def object_of(value: object, name: str) -> dict[str, Any]:
    """An object inside an answer. Raises ApiHostile."""
    if not isinstance(value, dict):
        raise ApiHostile(f"{name} is not an object")
    return value
