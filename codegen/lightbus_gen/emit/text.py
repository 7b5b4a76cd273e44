"""Foreign text as Python source. Nothing that comes from a schema reaches the output any other way."""

from __future__ import annotations

import re
import textwrap


def literal(value: str | int | float | bool | None) -> str:
    """Write a value as a Python literal; strings in double quotes where that needs no escapes."""
    written = repr(value)
    if isinstance(value, str) and '"' not in value and "'" not in value:
        return f'"{written[1:-1]}"'
    return written


def literal_lines(text: str, width: int) -> list[str]:
    """Write text as literals of at most `width` characters where it has spaces; side by side they are the text."""
    quotes = len('""')
    has_escapes = (
        len(literal(text)) > len(text) + quotes
    )  # else the length of each part is known without writing it
    lines = [""]
    for word in re.findall(r"[^ ]* *", text):
        longer = lines[-1] + word
        if lines[-1] and (len(literal(longer)) if has_escapes else len(longer) + quotes) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [literal(line) for line in lines]


def plain(text: str) -> str:
    """Write text for a comment or message: on one line, without anything unprintable."""
    return "".join(char if char.isprintable() else literal(char)[1:-1] for char in text)


def markdown(text: str) -> str:
    """Write text for one line of Markdown, without anything that Markdown or HTML would act on."""
    return re.sub(r"[\\`*_{}\[\]<>#|&~]", r"\\\g<0>", plain(text))


def first_sentence(text: str) -> str:
    """Return the first sentence of a description, "" where there is none."""
    sentence = text.strip().split("\n")[0].split(". ")[0].rstrip(".")
    return f"{sentence}." if sentence else ""


def comment(text: str, indent: int) -> list[str]:
    """Write text as lines of a comment, none where it is empty."""
    lines = [piece for line in text.strip().splitlines() for piece in _wrap(line.strip(), 108 - indent)]
    return [f"# {plain(line)}".rstrip() for line in lines]


def docstring(text: str, indent: int) -> str:
    """Write text as a docstring literal.

    Args:
        text: paragraphs and lists; long lines of prose are wrapped.
        indent: spaces in front of the lines after the first.
    """
    lines = [_escape(piece) for line in text.strip().splitlines() for piece in _wrap(line, 104 - indent)]
    if len(lines) <= 1:
        return f'"""{"".join(lines)}"""'
    margin = " " * indent
    body = "\n".join(f"{margin}{line}".rstrip() for line in lines[1:])
    return f'"""{lines[0]}\n{body}\n{margin}"""'


def _escape(line: str) -> str:
    """Write one line so that it can stand in a docstring, and end it."""
    if not line.isprintable() or "\\" in line:
        line = "".join(
            char.replace("\\", "\\\\") if char.isprintable() else literal(char)[1:-1] for char in line
        )
    return line.replace('"', '\\"') if '"""' in line or line.endswith('"') else line


def _wrap(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line.rstrip()]
    indent = " " * (len(line) - len(line.lstrip()))
    hanging = indent + ("    " if indent else "")
    return textwrap.wrap(
        line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )
