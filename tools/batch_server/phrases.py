"""Owns the sentences of rehearsal answers, in the language that a prompt is written in."""

from __future__ import annotations

import re
from functools import lru_cache

KANA, HANGUL, HAN, CYRILLIC = (re.compile(f"[{span}]") for span in ("぀-ヿ", "가-힣", "一-鿿", "Ѐ-ӿ"))
SMALL_WORDS = {
    "en": "the of and to is in for with this that are be or an as it from",
    "de": "und der die das nicht sie bitte eine einer einen auf von mit ist",
    "fr": "le les une des est vous et dans pour avec du sur que", "es": "el los las una es por para con que usted del y su",
}
LANGUAGES = {word: language for language, words in SMALL_WORDS.items() for word in words.split()}
ENDS = 400  # characters at the beginning and at the end by which a language in Latin letters is known

# Three sentences for a low value, three for one in the middle, three for a high one; {n} is the question's name.
REASONS = {
    "ja": (
        ("{n}につながる描写が少なく、淡々とした語りに終始しているため。", "{n}を引き起こす出来事がほとんど見当たらなかったから。",
         "全体に静かな筆致で、{n}は読み手の側にあまり生まれないため。"),
        ("{n}を感じる場面はあるものの、結末が予想の範囲に収まっているため。", "一部の描写に{n}の芽があるが、全体では控えめだから。",
         "人物の心の動きは丁寧だが、{n}が際立つほどではないため。"),
        ("結末に向かう展開が鮮やかで、{n}が強く心に残ったため。", "登場人物の選択が胸に迫り、{n}を何度も覚えたから。",
         "言葉の選び方と余韻が見事で、{n}が最後まで途切れなかったため。"),
    ),
    "en": (
        ("Little in the text gives rise to {n}, and the telling stays detached.", "Hardly any event here leads to {n}.",
         "The calm tone leaves almost no room for {n}."),
        ("There are hints of {n}, but the ending stays within what one expects.", "Some passages carry {n}, yet only in part.",
         "The characters are drawn with care, though {n} never dominates."),
        ("The turn near the end is vivid and leaves a strong sense of {n}.", "The choices made in the text stir {n} again and again.",
         "The wording and its echo keep {n} alive to the last line."),
    ),
    "zh": (("文中几乎没有引起{n}的内容。",), ("有些地方带有{n}，但并不突出。",), ("文中的表达让{n}十分强烈。",)),
    "ko": (("글에서 {n}을(를) 느낄 만한 부분이 거의 없습니다.",), ("{n}이(가) 일부 드러나지만 두드러지지는 않습니다.",),
           ("표현이 생생하여 {n}이(가) 강하게 느껴집니다.",)),
    "de": (("Im Text führt kaum etwas zu {n}.",), ("Einige Stellen zeigen {n}, aber nur zum Teil.",),
           ("Die Wortwahl lässt {n} deutlich hervortreten.",)),
    "fr": (("Presque rien dans le texte ne mène à {n}.",), ("Certains passages portent {n}, mais en partie seulement.",),
           ("Le choix des mots fait ressortir {n} avec force.",)),
    "es": (("Casi nada en el texto lleva a {n}.",), ("Algunos pasajes muestran {n}, pero solo en parte.",),
           ("Las palabras hacen sentir {n} con fuerza.",)),
    "ru": (("В тексте почти ничего не вызывает {n}.",), ("Местами есть {n}, но лишь отчасти.",), ("Слова текста ясно передают {n}.",)),
}  # fmt: skip
PLAIN = {
    "ja": "これは模擬応答です(番号 {number})。質問の形式が見つからなかったため、短くお答えします。",
    "en": "This is a rehearsal answer (number {number}). No questions were found in the prompt, so it is short.",
    "zh": "这是模拟回答（编号 {number}）。提示中没有指定格式，因此简短作答。",
    "ko": "모의 응답입니다(번호 {number}). 형식이 지정되지 않아 짧게 답합니다.",
    "de": "Dies ist eine Probeantwort (Nummer {number}). Es wurde keine Form verlangt, daher ist sie kurz.",
    "fr": "Ceci est une réponse simulée (numéro {number}). Aucune forme n'était demandée : elle est courte.",
    "es": "Esta es una respuesta simulada (número {number}). No se pidió ninguna forma, por eso es breve.",
    "ru": "Это пробный ответ (номер {number}). Форма не указана, поэтому он короткий.",
}
REFUSALS = {
    "ja": "申し訳ありませんが、このご依頼にはお応えできません。", "en": "I'm sorry, but I can't help with that.",
    "zh": "抱歉，我无法协助处理此请求。", "ko": "죄송하지만 이 요청은 도와드릴 수 없습니다.",
    "de": "Es tut mir leid, dabei kann ich nicht helfen.", "fr": "Je suis désolé, je ne peux pas vous aider pour cela.",
    "es": "Lo siento, no puedo ayudar con eso.", "ru": "Извините, я не могу с этим помочь.",
}  # fmt: skip
PICTURES = {"ja": "画像を見ると、", "en": "In the picture: ", "zh": "从图片来看，", "ko": "사진을 보면, ", "de": "Auf dem Bild: ",
            "fr": "Sur l'image : ", "es": "En la imagen: ", "ru": "На картинке: "}  # fmt: skip
IT = {"ja": "それ", "en": "it", "zh": "这一点", "ko": "그것", "de": "das", "fr": "cela", "es": "eso", "ru": "это"}
NAMELESS = re.compile(r"(?:[a-z]{0,2}\d*|.*(?:reason|explanation|why|comment|理由|根拠).*)?", re.IGNORECASE)
PREFACES = {"ja": "回答は次のとおりです。\n\n", "en": "Here is the answer you asked for:\n\n"}


def language_of(text: str) -> str:
    """The language of a prompt, by its script and, in Latin letters, by its smallest words; English where nothing tells."""
    if not text.isascii():
        for pattern, language in ((KANA, "ja"), (HANGUL, "ko"), (HAN, "zh"), (CYRILLIC, "ru")):
            if pattern.search(text):
                return language
    return latin_language(text)


def latin_language(text: str) -> str:
    """The language of what a prompt says in Latin letters."""
    words = f"{text[:ENDS]} {text[max(ENDS, len(text) - ENDS):]}".lower().split()
    found = [language for language in map(LANGUAGES.get, words) if language]
    best = max(set(found), key=found.count, default="en")
    return best if found.count(best) > 2 else "en"


@lru_cache(maxsize=2048)
def reasons(language: str, name: str, pictures: bool = False, before: str = "") -> tuple[tuple[str, ...], ...]:
    """Three sentences for a low value, three for one in the middle, three for a high one, each behind `before`."""
    name = IT[language] if NAMELESS.fullmatch(name) else name.lower() if language == "en" else name
    before += PICTURES[language] if pictures else ""
    return tuple(tuple(before + band[n % len(band)].replace("{n}", name) for n in range(3)) for band in REASONS[language])


def band_of(share: float) -> int:
    """0 for a low value, 1 for one in the middle, 2 for a high one."""
    return 2 if share > 0.66 else 1 if share > 0.33 else 0
