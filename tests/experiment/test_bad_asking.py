"""What is asked amiss, one by one: factors, prompts, parameters, rules and columns that an experiment cannot have, in one line each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.errors import InputError
from common.experiment.checks import check_asked
from common.experiment.read import load

NAMED = {"prompt": '{user = "{w} {text}"}'}
DATA = {"text": None, "data": '{file = "d.csv"}'}
TURNS = '{{user = "Read {{text}}", message = [{}]}}'


def factor(*tables: str) -> dict[str, str]:
    """An experiment with factors, whose prompt names w."""
    return {**NAMED, "factor": f"[{', '.join(f'{{{table}}}' for table in tables)}]"}


def question(table: str, **more: str) -> dict[str, str]:
    """An experiment with one question."""
    return {"question": f'[{{id = "Q1", name = "Joy", {table}}}]', **more}


CASES = [
    # questions
    (question('type = "likert"'), ["question[1].type: is 'likert'", "number, integer, choice"]),
    (question('type = "choice"'), ["question[1].choices: missing"]),
    (question('type = "json", schema = "s.json"', answer='{format = "json"}'), ["'s.json' is not a valid JSON Schema"]),
    # factors
    (factor('name = "model", levels = ["a", "b"]'), ["factor model", "a column of the results"]),
    (factor('name = "title", levels = ["a", "b"]'), ["factor title", "a column of the data"]),
    (factor('name = "persona", levels = ["a", "b"]'), ["factor persona", "the personas"]),
    (question("min = 0", **factor('name = "Q1_Joy", levels = ["a", "b"]')), ["factor Q1_Joy", "a question's column"]),
    (factor('name = "w", levels = ["a"]'), ["factor[1].levels: has 1", "at least two"]),
    (factor('name = "w", levels = []'), ["factor[1].levels: has 0"]),
    (factor('name = "w"'), ["factor[1].levels: missing"]),
    (factor('name = "w", levels = ["a", "b"], level = [{id = "x"}, {id = "y"}]'), ["factor[1].levels: unknown key"]),
    (factor('name = "w", levels = ["a", "a"]'), ["factor w: id 'a' is used twice"]),
    (factor('name = "w", levels = [1, "1"]'), ["factor w: id '1' is used twice"]),
    (factor('name = "w", levels = ["a", "b"]', 'name = "w", levels = ["c", "d"]'), ["id 'w' is used twice"]),
    (factor('name = "w", levels = ["a", "b_a"]'), ["'b_a' ends in _a", "rename one"]),
    (factor('name = "w", levels = ["a", " "]'), ["factor[1].levels.id: is empty"]),
    (factor('name = "w", levels = ["a", "b\\nc"]'), ["factor[1].levels.id", "visible characters"]),
    (factor('name = "w", levels = [true, false]'), ["factor[1].levels: holds True"]),
    (factor('name = "w.x", levels = ["a", "b"]'), ["factor[1].name: is 'w.x'", "one word"]),
    (factor('name = "two words", levels = ["a", "b"]'), ["factor[1].name", "one word"]),
    ({"factor": '[{name = "m", levels = ["a", "b"]}]'}, ["factor m: changes nothing"]),
    (factor('name = "w", sets = "temperature", levels = [0, 3]'), ["factor[1].levels.temperature: is 3", "from 0 to 2"]),
    (factor('name = "w", sets = "temperature", levels = [0, nan]'), ["temperature: is nan"]),
    (factor('name = "w", sets = "temperature", levels = ["0", "1"]'), ["temperature: is '0'"]),
    # keys that nothing asks
    (factor('name = "w", level = [{id = "a", top_p = 0.5}, {id = "b"}]'), ["factor w, level a: top_p: is never asked", "[request]"]),
    (
        {"prompt": '{user = "{w.say} {text}"}', "factor": '[{name = "w", level = [{id = "a", say = "x"}, {id = "b"}]}]'},
        ["factor w, level b: has no key 'say'", "{w.say}"],
    ),
    (
        {"prompt": '{user = "{persona.age} {text}"}', "persona": '[{id = "1", name = "a", age = 3}, {id = "2", name = "b"}]'},
        ["persona[2]: has no key 'age'", "{persona.age}"],
    ),
    ({"persona": '[{id = "1", name = "a", top_p = 0.5}]'}, ["persona[1].top_p: is never asked", "[request]"]),
    ({"text": '[{id = "t1", file = "t1.txt", image = "x.png"}]'}, ["text: image: is never asked"]),
    ({**DATA, "data": '{file = "e.csv"}', "prompt": '{user = "{persona.name} {b}"}'}, ["{persona.name} is a column of the data", "rename"]),
    # prompts
    ({"prompt": '{user = "Read {{text}}"}'}, ["{{text}} is the literal text {text}", "one brace"]),
    ({**DATA, "prompt": '{user = "Read {{a}} {b}"}'}, ["{{a}} is the literal text {a}"]),
    ({"prompt": TURNS.format('{role = "user", content = "{txt}"}')}, ["prompt.message[1]: unknown name {txt}"]),
    ({"prompt": TURNS.format('{role = "system", content = "x"}')}, ["prompt.message[1].role: is 'system'", "prompt.system"]),
    ({"prompt": TURNS.format('{role = "user", content = " "}')}, ["prompt.message[1].content: is empty"]),
    ({"prompt": TURNS.format('{role = "user", content = "x", file = "t1.txt"}')}, ["prompt.message[1].content"]),
    ({"prompt": '{message = [{role = "user", content = "{text}"}, {role = "assistant", content = "x"}]}'}, ["prompt.user: missing"]),
    ({"prompt": '{user = "{text}", system = "a", system_file = "t1.txt"}'}, ["prompt.system: stands beside system_file"]),
    ({"prompt": '{user = "{text}", system_file = "gone.txt"}'}, ["prompt.system_file: 'gone.txt' does not exist"]),
    ({"prompt": '{user = "{text}", system_file = "empty.txt"}'}, ["empty.txt: is empty"]),
    ({"prompt": '{user_file = "garbled.txt"}'}, ["garbled.txt: cannot be read as UTF-8"]),
    ({"prompt": '{user = "{text}", files = ["{img}"]}'}, ["prompt.files: unknown name {img}"]),
    ({"prompt": '{user = "{text}", files = [5]}'}, ["prompt.files: is [5]"]),
    # columns, rules, parameters, data
    ({"columns": '["gold"]'}, ["columns: no 'gold'"]),
    ({"columns": "5"}, ["columns: is 5"]),
    ({"only": "\"model = 'x'\""}, ["only: cannot be read", "written =="]),
    ({"only": "\"modl == 'x'\""}, ["only: no column 'modl'", "model, persona"]),
    ({"skip": '""'}, ["skip: is ['']"]),
    ({"request": "{x = 2020-01-01}"}, ["request.x: is no JSON value"]),
    ({"request": "{model = 5}"}, ["request.model: is 5"]),
    ({"request": '"x"'}, ["request: is 'x'"]),
    ({**DATA, "data": '{run = "x", file = "t1.txt"}', "prompt": '{user = "{answer}"}'}, ["data.file: stands beside run"]),
    ({**DATA, "data": '{run = "nope"}', "prompt": '{user = "{answer}"}'}, ["data.run"]),
]


@pytest.mark.parametrize(("keys", "said"), CASES, ids=[said[0] for _, said in CASES])
def test_an_experiment_that_cannot_be_asked(study: Callable, keys: dict[str, str], said: list[str]) -> None:
    """Each is refused when it is read, in one line that says the file and what is wrong."""
    files = {"s.json": '{"type": 5}', "e.csv": "persona.name,b\n1,2\n"}
    files |= {"d.csv": "a,b\n1,2\n3,4\n", "empty.txt": " \n", "garbled.txt": b"\xff\xfe{"}
    with pytest.raises(InputError) as error:
        check_asked(load(study(files, **keys)))
    assert all(text in str(error.value) for text in said), error.value
    assert "\n" not in str(error.value)
