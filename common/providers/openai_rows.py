"""What the output lines of the OpenAI shape say, in all the forms that hosts of that shape give them."""

from __future__ import annotations

from common.nouns import Result, Usage
from common.outcomes import SUCCEEDED, UNREADABLE, finish_class, row_class
from common.providers.foreign import MOST, Complaint, as_count, as_text, complaint, natural, object_at, parsed, request_id, unix, word

_ANSWERS = ("choices", "output", "output_text", "content")  # what only an answer's body has
_SILENT = {"reference", "references", "citation", "citations", "annotation", "reasoning", "thinking", "redacted_thinking", "thought"}
_TEXTS = {"", "text", "output_text", "refusal"}  # parts that say no more than their text
_SENT = ("method", "url", "params")  # keys of an input line, which is no answer


def claims(line: dict) -> bool:
    """Whether an output line is of this shape; one without `response` is, when it says what became of its request."""
    if "response" in line:
        return True
    if "custom_id" not in line or "result" in line or any(key in line for key in _SENT):
        return False
    return "error" in line or "status_code" in line or "body" in line or _is_answer(line)


def _is_answer(body: object) -> bool:
    return isinstance(body, dict) and any(key in body for key in _ANSWERS)


def decode(line: dict) -> Result:
    """One output or error line → Result. Raises ValueError when the line is not of this shape.

    What was answered and cannot be read is `unreadable`: it is paid, so it is never a reason to buy again.
    """
    if (plain := _plain(line)) is not None:
        return plain
    custom_id = request_id(line.get("custom_id"))
    if not custom_id or not claims(line):
        raise ValueError("not a batch output line: no custom_id or response")
    status, body = _answered(line)
    if (status is None or 200 <= status < 300) and _is_answer(body):
        found = _answer(custom_id, body)
        if found is not None:
            return found
    return _failure(custom_id, status, body, line)


def _plain(line: dict) -> Result | None:
    """The answer of a line that is as OpenAI itself writes it, as nearly all are: a tenth of the time; None for any other."""
    try:
        custom_id, response = line["custom_id"], line["response"]
        body = response["body"]
        choice, usage = body["choices"][0], body["usage"]
        message, read, written = choice["message"], usage["prompt_tokens"], usage["completion_tokens"]
        text, model, created = message["content"], body["model"], body["created"]
        if response["status_code"] != 200 or choice["finish_reason"] != "stop" or message.get("refusal"):
            return None
    except (LookupError, TypeError, AttributeError):
        return None
    whole = type(read) is type(written) is type(created) is int and 0 <= read <= MOST and 0 <= written <= MOST and 0 < created < 62e9
    if not whole or not custom_id or not text or not type(custom_id) is type(text) is type(model) is str:
        return None
    cached = kept = thought = 0
    if type(details := usage.get("prompt_tokens_details")) is dict and any(details.values()):
        cached, kept = _of_cache(details, read)
    if type(details := usage.get("completion_tokens_details")) is dict and (thought := details.get("reasoning_tokens") or 0):
        thought = natural(thought)
    tokens = Usage(read, cached, written, thought, kept)
    simulated = bool(body.get("simulated"))
    return Result(custom_id, SUCCEEDED, text, word(model), "stop", tokens, "", "", simulated, float(created))


def _answered(line: dict) -> tuple[int | None, object]:
    """(HTTP status, body) of a line; None for a status that is not told."""
    response = parsed(line["response"]) if "response" in line else line
    if not isinstance(response, dict):
        return None, response
    status = as_count(response.get("status_code", response.get("status")))
    if "body" in response:
        return status, parsed(response["body"])
    return status, response if response is not line or _is_answer(line) else None


def _failure(custom_id: str, status: int | None, body: object, line: dict) -> Result:
    """A row without an answer that can be read: its class by what it says, and by whether it was answered."""
    told = body if isinstance(body, dict) else {}
    good = status is not None and 200 <= status < 300
    said = _complaint(status, good, body, line)
    usage = _usage(told.get("usage"))
    if usage is not None and usage.input + usage.output > 0:  # paid
        outcome = UNREADABLE
    elif (good or status is None) and not any((said.code, said.kind, said.message, said.status)):
        outcome, usage = UNREADABLE, None
    else:
        outcome, usage = _class(status, good, said), Usage()
    number = said.status or status
    code = said.code or said.kind or ("" if number is None else str(number))
    message = said.message or ("a line without an answer or an error" if status is None else f"status {status} without an answer")
    return Result(custom_id, outcome, usage=usage, code=code, message=message, simulated=bool(told.get("simulated")))


def _complaint(status: int | None, good: bool, body: object, line: dict) -> Complaint:
    """What a line complains of: in its body where that is an error, else beside it."""
    response = line.get("response")
    beside = response.get("error") if isinstance(response, dict) and response is not body else None
    is_error = _says_error(body) or not good and (status is not None or isinstance(body, dict))
    return complaint(body if is_error else None, line.get("error"), beside)


def _says_error(body: object) -> bool:
    """Whether the body of a 200 says that it is an error."""
    return isinstance(body, dict) and (bool(body.get("error") or body.get("errors")) or body.get("object") == "error")


def _class(status: int | None, good: bool, said: Complaint) -> str:
    status = said.status or None if good else status or said.status or None
    found = row_class(status, said.code, said.kind)
    return "failed" if good and found == "connection" else found  # it was answered, with an error that nobody knows


# ---- answers


def _answer(custom_id: str, body: dict) -> Result | None:
    """The answer in a body; None where there is none that can be read."""
    found = _chat(body) if "choices" in body else _response(body)
    if found is None:
        return None
    content, refusal, finish = found
    text, denied, left_out = _text(content)
    if not text and (calls := _calls(body)):
        text, left_out = calls[0], left_out + ["further tool calls"] * (len(calls) > 1)
    if not text and body.get("error"):
        return None
    finish = word(finish)
    outcome = finish_class(finish, bool(text), bool(refusal or denied))
    refusal = refusal if refusal and isinstance(refusal, str) else denied
    if left_out and not text and outcome == "empty":
        outcome = UNREADABLE
    message = "" if outcome == SUCCEEDED else f"finish_reason {finish or 'none'}"
    if left_out:
        message = "; ".join(filter(None, (message, f"parts left out: {', '.join(left_out)}")))
    usage, created = _usage(body.get("usage")), unix(body.get("created") or body.get("created_at"))
    simulated = bool(body.get("simulated"))
    return Result(custom_id, outcome, text or refusal, word(body.get("model")), finish, usage, "", message, simulated, created)


def _chat(body: dict) -> tuple[object, object, object] | None:
    """(content, refusal, finish reason) of a chat completion, or of a plain one."""
    choices = body["choices"]
    choice = next((one for one in choices if isinstance(one, dict)), None) if isinstance(choices, list) else choices
    if not isinstance(choice, dict):
        return None
    message = choice.get("message", choice.get("delta"))
    finish = choice.get("finish_reason")
    if isinstance(message, dict):
        return message.get("content"), message.get("refusal"), finish
    content = message if isinstance(message, (str, list)) else choice.get("text")
    if content is None and finish_class(word(finish), True) == SUCCEEDED:
        return None  # said to be whole, and nothing is there
    return content, None, finish


def _response(body: dict) -> tuple[object, object, object] | None:
    """The same of an answer of /v1/responses, or of a message that is its own body."""
    finish = object_at(body, "incomplete_details").get("reason") or body.get("stop_reason") or body.get("finish_reason")
    output = body.get("output")
    if isinstance(output, list):
        said = [item for item in output if isinstance(item, dict) and item.get("type", "message") == "message"]
        parts = [part for item in said for part in _parts(item.get("content"))]
        return parts, None, finish or body.get("status")
    if isinstance(output, str) or isinstance(body.get("output_text"), str):
        return output if isinstance(output, str) else body["output_text"], None, finish
    content = body.get("content")
    return (content, None, finish) if isinstance(content, (str, list)) else None


def _calls(body: dict) -> list[str]:
    """What the tools of an answer were called with: that is the answer, where there is no text. Of several, the first counts."""
    if isinstance(body.get("output"), list):
        found = [item for item in body["output"] if isinstance(item, dict) and item.get("type") in ("function_call", "custom_tool_call")]
    else:
        choice = next((one for one in _parts(body.get("choices")) if isinstance(one, dict)), {})
        message = object_at(choice, "message")
        found = [call.get("function") or call.get("custom") for call in _parts(message.get("tool_calls")) if isinstance(call, dict)]
        found.append(message.get("function_call"))
    given = [call.get("arguments", call.get("input")) for call in found if isinstance(call, dict)]
    return [as_text(one) for one in given if one]


def _parts(content: object) -> list:
    return content if isinstance(content, list) else [] if content is None else [content]


def _text(content: object) -> tuple[str, str, list[str]]:
    """(text, refusal, kinds of parts that are neither) of a message's content: text, one part, or a list of parts."""
    if isinstance(content, str):
        return content, "", []
    texts, refusals, left_out = [], [], []
    for part in _parts(content):
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = word(part.get("type")) if isinstance(part, dict) else type(part).__name__
        if kind in _SILENT:
            continue
        found = _part_text(part)
        if kind == "refusal":
            refusals.append(found if found is not None else "refusal")
        elif found is not None:
            texts.append(found)
        if kind not in _TEXTS or found is None:
            left_out.append(kind or "unknown")
    return "".join(texts), "".join(refusals), sorted(set(left_out))[:10]


def _part_text(part: object) -> str | None:
    if not isinstance(part, dict):
        return None
    for key in ("text", "refusal", "content"):
        found = part.get(key)
        found = found.get("value") if isinstance(found, dict) else found
        if isinstance(found, str):
            return found
    return None


def _usage(usage: object) -> Usage | None:
    """Tokens as counted, under the names of chat completions or of responses; None where they are not all told."""
    if not isinstance(usage, dict):
        return None
    read = as_count(usage.get("prompt_tokens", usage.get("input_tokens")))
    written = as_count(usage.get("completion_tokens", usage.get("output_tokens")))
    total = as_count(usage.get("total_tokens"))
    if written is None and read is not None and total is not None and total >= read:
        written = total - read
    if read is None and written is not None and total is not None and total >= written:
        read = total - written
    if read is None or written is None:
        return None
    cached = object_at(usage, "prompt_tokens_details") or object_at(usage, "input_tokens_details")
    thought = object_at(usage, "completion_tokens_details") or object_at(usage, "output_tokens_details")
    cached, kept = _of_cache(cached, read)
    return Usage(read, cached, written, natural(thought.get("reasoning_tokens")), kept)


def _of_cache(details: dict, read: int) -> tuple[int, int]:
    """Tokens of a prompt that were read from a cache, and that were written into one."""
    cached = min(read, natural(details.get("cached_tokens")))
    return cached, min(read - cached, natural(details["cache_write_tokens"])) if "cache_write_tokens" in details else 0


