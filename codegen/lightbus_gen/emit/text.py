"""Foreign text as Python source. Text from a schema reaches the output only through these functions."""

from __future__ import annotations

import re
import textwrap

from lightbus.foreign import escaped


def literal(value: str | int | float | bool | None) -> str:
    """Return a value as a Python literal; a string is in double quotes if that needs no escapes."""
    source = repr(value)
    if isinstance(value, str) and '"' not in value and "'" not in value:
        return f'"{source[1:-1]}"'
    return source


def literal_lines(text: str, width: int) -> list[str]:
    """Split text at spaces into literals of at most `width` characters that Python concatenates to the text."""
    quotes = len('""')
    # without escapes, the length of a literal follows from that of its text
    has_escapes = len(literal(text)) > len(text) + quotes
    lines = [""]
    for word in re.findall(r"[^ ]* *", text):
        longer = lines[-1] + word
        if lines[-1] and (len(literal(longer)) if has_escapes else len(longer) + quotes) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [literal(line) for line in lines]


def markdown(text: str) -> str:
    """Return text for one line of Markdown, with the special characters of Markdown and HTML escaped."""
    return re.sub(r"[\\`*_{}\[\]<>#|&~]", r"\\\g<0>", escaped(text))


def first_sentence(text: str) -> str:
    """Return the first sentence of a description, "" if there is none."""
    sentence = text.strip().split("\n")[0].split(". ")[0].rstrip(".")
    return f"{sentence}." if sentence else ""


def comment(text: str, indent: int) -> list[str]:
    """Return text as the lines of a comment, [] if it is empty."""
    lines = [piece for line in text.strip().splitlines() for piece in _wrap(line.strip(), 108 - indent)]
    return [f"# {escaped(line)}".rstrip() for line in lines]


def docstring(text: str, indent: int) -> str:
    """Return text as a docstring literal.

    Args:
        text: paragraphs and lists; long lines of prose are wrapped.
        indent: spaces before each line after the first.
    """
    lines = [_escape(piece) for line in text.strip().splitlines() for piece in _wrap(line, 104 - indent)]
    if len(lines) <= 1:
        return f'"""{"".join(lines)}"""'
    margin = " " * indent
    body = "\n".join(f"{margin}{line}".rstrip() for line in lines[1:])
    return f'"""{lines[0]}\n{body}\n{margin}"""'


def _escape(line: str) -> str:
    """Escape one line so that it may occur in a docstring and end it."""
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
