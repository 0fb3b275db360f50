"""What the pages say, language by language, and the charset each is served in (Defaults.py, LC_DESCRIPTIONS of 2.1).

The letters for why delivery is off are words too: where English pages show [U], [A] and [B], Russian ones have three of their own.
"""

from __future__ import annotations

CHARSETS = {
    "en": "us-ascii",
    "es": "iso-8859-1",
    "de": "iso-8859-1",
    "ru": "koi8-r",
    "ja": "euc-jp",
    "pl": "iso-8859-2",
}

_ENGLISH = {
    "language": "English (USA)",
    "total": "{all} members total",
    "shown": "{all} members total, {shown} shown",
    "letters": "UAB?",
    "range": "from {start} to {end}",
    "expired": "The form lifetime has expired. (request forgery check)",
    "error": "Error: ",
    "authorization": "Authorization failed.",
    "login": "{list} Administrator Authentication",
    "submit": "Submit Your Changes",
    "subscribed": "Successfully subscribed:",
    "not subscribed": "Error subscribing:",
    "invited": "Successfully invited:",
    "unsubscribed": "Successfully Unsubscribed:",
    "not unsubscribed": "Cannot unsubscribe non-members:",
    "member already": "Already a member",
    "bad address": "Bad/Invalid email address",
    "hostile": "Hostile address (illegal characters)",
    "banned": "Banned address (matched {pattern})",
    "bad value": "Invalid value for variable: {name}",
    "bad addresses": "Bad email address for option {name}: {bad}",
    "no list": "No such list <em>{list}</em>",
    "emergency": "Emergency moderation of all list traffic is enabled",
}
_OTHERS = {
    "es": {
        "language": "Español (España)",
        "total": "{all} suscriptores en total",
        "shown": "{all} suscriptores en total, se muestran {shown}",
        "range": "desde {start} hasta {end}",
        "expired": "El formulario ha caducado.",
        "submit": "Enviar los cambios",
        "subscribed": "Suscritos:",
        "not subscribed": "Error dando de alta:",
        "member already": "Ya está suscrito",
        "bad address": "Dirección incorrecta",
        "hostile": "Dirección hostil (caracteres no válidos)",
        "banned": "Dirección vetada ({pattern})",
    },
    "de": {
        "language": "Deutsch",
        "total": "Insgesamt {all} Abonnenten",
        "shown": "{shown} von insgesamt {all} Abonnenten",
        "range": "von {start} bis {end}",
        "expired": "Die Gültigkeit des Formulars ist abgelaufen.",
        "submit": "Änderungen speichern",
        "subscribed": "Erfolgreich eingetragen:",
        "not subscribed": "Fehler beim Abonnieren:",
        "member already": "Bereits Mitglied",
        "bad address": "Ungültige E-Mail-Adresse",
        "hostile": "Unzulässige E-Mail-Adresse",
        "banned": "Blockierte Adresse ({pattern})",
    },
    "ru": {
        "language": "Русский",
        "total": "всего подписчиков: {all}",
        "shown": "всего подписчиков: {all}; показано: {shown}",
        "letters": "ПАО?",
        "range": "{start} по {end}",
        "expired": "Время жизни формы истекло.",
        "submit": "Внести изменения",
        "subscribed": "Успешно подписаны:",
        "not subscribed": "Ошибка подписки:",
        "member already": "Уже является подписчиком",
        "bad address": "Недопустимый электронный адрес",
        "hostile": "Недопустимые символы",
        "banned": "Заблокированный адрес ({pattern})",
    },
    "ja": {
        "language": "日本語",
        "total": "合計 {all} 名",
        "shown": "会員合計 {all} 名, うち {shown} 名を表示します",
        "range": "{start} から {end} まで",
        "expired": "フォームの有効期限が切れました.",
        "submit": "変更を送信する",
        "subscribed": "入会手続き完了",
        "not subscribed": "入会手続きのエラー:",
        "member already": "既に会員です",
        "bad address": "無効なメールアドレス",
        "hostile": "危険なアドレス",
        "banned": "入会禁止アドレス ({pattern})",
    },
    "pl": {
        "language": "Polski",
        "total": "liczba uczestników: {all}",
        "shown": "pokazano {shown}, wszystkich uczestników: {all}",
        "submit": "Zatwierdź zmiany",
    },
}


def words(language: str) -> dict[str, str]:
    """The words of a language; what it lacks is in English, as in Mailman."""
    return {**_ENGLISH, **_OTHERS.get(language, {})}
