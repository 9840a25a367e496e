"""Owns the form in which an answer is asked for: plain words, a JSON object, a schema's, or a forced tool call; and its refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ApiError
from .invented import NoSchema, invented

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MAX_CHOICES = 128
ASKS = ("response_format", "tool_choice", "n", "text", "output_config", "output_format", "function_call")


@dataclass(frozen=True)
class Form:
    """What is asked for: `schema` None are plain words; `tool` is the name of a tool that must be called; n choices."""

    schema: dict | None = None
    tool: str = ""
    n: int = 1


PLAIN = Form()
ANY_OBJECT = {"type": "object", "properties": {"answer": {"type": "string"}, "score": {"type": "integer", "minimum": 0, "maximum": 100}}}


def form_of(body: dict, endpoint: str, words: list[str]) -> Form:
    """The form that a body asks for; raises the ApiError with which the API would refuse it."""
    if body.keys().isdisjoint(ASKS):
        return PLAIN
    if endpoint.endswith("/messages"):
        return _anthropic(body)
    if endpoint.endswith("/responses"):
        options = body.get("text")
        return _openai(body, options.get("format") if isinstance(options, dict) else None, "text.format", words)
    if endpoint.endswith("/chat/completions"):
        return _openai(body, body.get("response_format"), "response_format", words, _choices(body))
    return Form(n=_choices(body)) if endpoint.endswith("/completions") else PLAIN


def _refuse(message: str, code: str | None, param: str) -> ApiError:
    return ApiError(400, message, code=code, param=param)


def _choices(body: dict) -> int:
    n = body.get("n")
    if n is None:
        return 1
    if isinstance(n, bool) or not isinstance(n, int):
        raise _refuse("Invalid type for 'n': expected an integer.", "invalid_type", "n")
    if n < 1:
        raise _refuse(
            f"Invalid 'n': integer below minimum value. Expected a value >= 1, but got {n} instead.", "integer_below_min_value", "n"
        )
    if n > MAX_CHOICES:
        raise _refuse(
            f"Invalid 'n': integer above maximum value. Expected a value <= {MAX_CHOICES}, but got {n} instead.",
            "integer_above_max_value",
            "n",
        )
    return n


def _openai(body: dict, wanted: object, at: str, words: list[str], n: int = 1) -> Form:
    schema = _format(wanted, at, words)
    tool, parameters = _forced(body)
    if tool:
        _usable(parameters, f"function '{tool}'", "tools")
        return Form(parameters, tool, n)
    return Form(schema, n=n)


def _format(wanted: object, at: str, words: list[str]) -> dict | None:
    """The schema of a response format; None for text."""
    if wanted is None:
        return None
    if not isinstance(wanted, dict):
        raise _refuse(f"Invalid type for '{at}': expected an object.", "invalid_type", at)
    kind = wanted.get("type")
    if kind is None:
        raise _refuse(f"Missing required parameter: '{at}.type'.", "missing_required_parameter", f"{at}.type")
    if kind == "text":
        return None
    if kind == "json_object":
        if not any("json" in text.lower() for text in words):
            raise _refuse(f"'messages' must contain the word 'json' in some form, to use '{at}' of type 'json_object'.", None, "messages")
        return ANY_OBJECT
    if kind != "json_schema":
        raise _refuse(
            f"Invalid value: '{str(kind)[:40]}'. Supported values are: 'json_object', 'json_schema', and 'text'.",
            "invalid_value",
            f"{at}.type",
        )
    return _named(wanted, at) if at == "text.format" else _named(wanted.get("json_schema"), f"{at}.json_schema")


def _named(given: object, at: str) -> dict:
    if given is None:
        raise _refuse(f"Missing required parameter: '{at}'.", "missing_required_parameter", at)
    if not isinstance(given, dict):
        raise _refuse(f"Invalid type for '{at}': expected an object.", "invalid_type", at)
    name = given.get("name")
    if name is None:
        raise _refuse(f"Missing required parameter: '{at}.name'.", "missing_required_parameter", f"{at}.name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _refuse(
            f"Invalid '{at}.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
            "invalid_value",
            f"{at}.name",
        )
    if at == "text.format" and given.get("schema") is None:
        raise _refuse(f"Missing required parameter: '{at}.schema'.", "missing_required_parameter", f"{at}.schema")
    schema = given.get("schema", ANY_OBJECT)
    what = f"response_format '{name}'"
    _usable(schema, what, at.partition(".json_schema")[0])
    if given.get("strict") is True:
        _strict(schema, what, at.partition(".json_schema")[0])
    return schema


def _usable(schema: object, what: str, param: str) -> None:
    """Refuse a schema that is none, as at creation and not at the first answer."""
    if not isinstance(schema, dict):
        raise _refuse(f"Invalid schema for {what}: expected an object.", "invalid_type", param)
    try:
        invented(schema, b"")
    except NoSchema as problem:
        raise _refuse(f"Invalid schema for {what}: {problem}.", None, param) from None


def _strict(schema: dict, what: str, param: str, path: tuple[str, ...] = ()) -> None:
    """What strict mode asks of each object: all properties required, no others."""
    context = "(" + ", ".join(f"'{name}'" for name in path) + (",)" if len(path) == 1 else ")")
    fields, required = schema.get("properties"), schema.get("required")
    required = required if isinstance(required, list) else []
    if not path and schema.get("type") != "object" and "$ref" not in schema:
        raise _refuse(
            f"Invalid schema for {what}: schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'.",
            None,
            param,
        )
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise _refuse(
            f"Invalid schema for {what}: In context={context}, 'additionalProperties' is required to be supplied and to be false.",
            None,
            param,
        )
    if isinstance(fields, dict) and (missing := [name for name in fields if name not in required]):
        raise _refuse(
            f"Invalid schema for {what}: In context={context}, 'required' is required to be supplied and to be an array "
            f"including every key in properties. Missing '{missing[0][:60]}'.",
            None,
            param,
        )
    for key in ("properties", "$defs", "definitions"):
        for name, inner in schema[key].items() if isinstance(schema.get(key), dict) else ():
            if isinstance(inner, dict) and len(path) < 60:
                _strict(inner, what, param, (*path, key, name))
    if isinstance(schema.get("items"), dict) and len(path) < 60:
        _strict(schema["items"], what, param, (*path, "items"))


def _tools(body: dict) -> dict[str, object]:
    """The functions that may be called: name → schema of the arguments. Chat nests them, Responses does not."""
    listed = body.get("tools") or body.get("functions") or []
    if not isinstance(listed, list):
        raise _refuse("Invalid type for 'tools': expected an array of objects.", "invalid_type", "tools")
    flat = [tool.get("function", tool) if isinstance(tool, dict) else None for tool in listed]
    if not all(isinstance(tool, dict) for tool in flat):
        raise _refuse("Invalid type for 'tools[0]': expected an object.", "invalid_type", "tools")
    none = {"type": "object", "properties": {}}
    return {tool["name"]: tool.get("parameters") or none for tool in flat if isinstance(tool.get("name"), str)}


def _forced(body: dict) -> tuple[str, object]:
    """The tool that must be called and the schema of its arguments; an empty name when the model may choose."""
    choice = body.get("tool_choice", body.get("function_call"))
    if choice in (None, "auto", "none"):
        return "", None
    tools = _tools(body)
    if not tools:
        raise _refuse("Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.", None, "tool_choice")
    if choice == "required" or isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        return next(iter(tools.items()))
    if not isinstance(choice, dict):
        raise _refuse(
            f"Invalid value: '{str(choice)[:40]}'. Supported values are: 'none', 'auto', and 'required'.", "invalid_value", "tool_choice"
        )
    inner = choice.get("function", choice)
    name = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(name, str) or name not in tools:
        raise _refuse(f"Tool choice '{str(name)[:60]}' not found in 'tools' parameter.", None, "tool_choice")
    return name, tools[name]


def _anthropic(params: dict) -> Form:
    choice = params.get("tool_choice")
    if choice is not None:
        kind = choice.get("type") if isinstance(choice, dict) else None
        if kind not in ("auto", "any", "tool", "none"):
            raise ApiError(
                400,
                f"tool_choice: Input tag '{str(kind)[:40]}' found using 'type' does not match any of the expected tags: "
                "'any', 'auto', 'none', 'tool'",
            )
        if kind in ("any", "tool"):
            return _called(params, choice)
    config = params.get("output_config")
    if config is not None and not isinstance(config, dict):
        raise ApiError(400, "output_config: Input should be an object")
    at = "output_format" if params.get("output_format") is not None else "output_config.format"
    wanted = params.get("output_format") or (config or {}).get("format")
    return Form(_anthropic_schema(wanted, at)) if wanted is not None else PLAIN


def _anthropic_schema(wanted: object, at: str) -> dict:
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise ApiError(400, f"{at}.type: Input should be 'json_schema'")
    if not isinstance(wanted.get("schema"), dict):
        raise ApiError(400, f"{at}.schema: {'Field required' if wanted.get('schema') is None else 'Input should be a valid dictionary'}")
    return _checked(wanted["schema"], f"{at}.schema")


def _called(params: dict, choice: dict) -> Form:
    listed = params.get("tools")
    tools = {
        tool["name"]: tool.get("input_schema")
        for tool in (listed if isinstance(listed, list) else [])
        if isinstance(tool, dict) and isinstance(tool.get("name"), str)
    }
    if not tools:
        raise ApiError(400, "tool_choice: may only be specified while providing tools")
    name = choice.get("name") if choice["type"] == "tool" else next(iter(tools))
    if not isinstance(name, str) or name not in tools:
        raise ApiError(400, f"tool_choice: Tool '{str(name)[:60]}' not found in provided tools")
    return Form(_checked(tools[name] or {"type": "object"}, f"tools.{list(tools).index(name)}.custom.input_schema"), name)


def _checked(schema: object, at: str) -> dict:
    try:
        invented(schema, b"")
    except NoSchema as problem:
        raise ApiError(400, f"{at}: {problem}") from None
    return schema
