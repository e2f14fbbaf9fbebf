"""Rules for values that their name gives away, in several languages: passwords, user names, orders, births."""

from __future__ import annotations

import itertools
import re

from corpusforge.curate.redaction.contacts import DATE
from corpusforge.curate.redaction.cues import LINK, REVERSED
from corpusforge.curate.redaction.rules import Check, Rule
from corpusforge.curate.redaction.words import COMMON

_PLACEHOLDER = re.compile(r"(?:your|my|the|some|example|test|user|name|pass|foo|bar|xxx|nutzer|usuario)[\w.-]*", re.I)
_PART = re.compile(r"[^\W\d_]+")


def _password(text: str, start: int, end: int) -> bool:
    """Whether a value reads as a password even where only a space stands before it."""
    value = text[start:end]
    letters = any(c.isalpha() for c in value)
    signs = any(not c.isalnum() for c in value[:-1]) or value[-1] in "!#%*$&?"
    mixed = any(c.islower() for c in value) and any(c.isupper() for c in value)
    return letters and any(c.isdigit() for c in value) and (signs or mixed) and len(set(value)) > 4


def _user(text: str, start: int, end: int) -> bool:
    """Whether a value reads as a user's name and not as a word of the sentence: `melvin69`, `anna_k`, `TomBaker`."""
    value = text[start:end]
    if _PLACEHOLDER.fullmatch(value) or value.casefold() in COMMON:
        return False
    marked = any(c.isdigit() or c in "_." for c in value[1:-1]) or value[-1].isdigit()
    inner = any(a.islower() and b.isupper() for a, b in itertools.pairwise(value))
    return (marked or inner) and any(c.isalpha() for c in value)


def _number(text: str, start: int, end: int) -> bool:
    """Whether a value reads as somebody's number: five digits, or three and something else, and no year or word."""
    value = text[start:end]
    digits = sum(c.isdecimal() for c in value)
    worded = any(len(part) > 1 and part.casefold() in COMMON and part.islower() for part in _PART.findall(value))
    return digits >= 4 + value.isdecimal() and not worded


_USER = r"[\p{L}0-9][\p{L}\d_.|-]{2,40}[\p{L}\d_]"
_PASSWORD = r"[^\s\"'`<>|;,“”«»()]{5,60}"
_NUMBER = r"(?=[\p{L}\d/_-]{0,8}\d)(?:[A-Z]{2,5}[ ](?=\d{3}))?[A-Z0-9](?:[A-Z0-9]|[-_/](?=[A-Z0-9])){3,30}"
_BEGUN = r"[\p{L}\d/_-]{0,8}\d"
_PIN = r"\d{4,8}"


def _both(
    kind: str, name: str, names: str, value: str, check: Check | None, digits: int, start: str = ""
) -> tuple[Rule, Rule]:
    """The rules for a value behind its name, and before it in a question; `start`: what such a value begins with."""
    edge = r"(?<![\p{L}\d])"
    closed = r"(?![\w@])(?!\.\d)"
    return (
        Rule(
            kind,
            name,
            f"{edge}(?:{names}){LINK}(?P<v>{value}){closed}",
            0.7,
            digits=digits,
            check=check,
            gate=rf"(?:\b|_)(?:{names}){LINK}{start or value}",
        ),
        Rule(kind, f"{name}-asked", REVERSED.format(value=value, names=names), 0.7, digits=digits, check=check),
    )


_PASSWORDS = (
    r"pass(?:word|wd|phrase|code)|pwd|(?:pass|kenn)wort|mot[ _]de[ _]passe|mdp|contraseña|clave|senha|palavra-passe"
    r"|parola[ _](?:chiave|d[’']ordine)|wachtwoord|hasło|lösenord|passord|adgangskode|salasana"
    r"|пароль|密码|パスワード|비밀번호"
)
_CODES = (
    r"(?:verification|security|confirmation|access|login|one[- ]time)[ _]code|(?:bestätigungs|sicherheits|zugangs)code"
    r"|otp|tan|code[ _]de[ _](?:vérification|confirmation|sécurité)"
    r"|código[ _]de[ _](?:verificación|confirmación|seguridad|acceso|verificação|segurança)"
    r"|codice[ _]di[ _](?:verifica|sicurezza|conferma)|(?:verificatie|beveiligings)code|kod[ _]weryfikacyjny"
    r"|код[ _]подтверждения|验证码|認証コード"
)
_USERS = (
    r"user[ _]?(?:name|id)|login[ _]name|(?:benutzer|nutzer|anmelde)(?:name|kennung)|nom[ _]d[’']utilisateur"
    r"|identifiant|pseudo|(?:nombre[ _]de[ _])?usuario|(?:nome[ _]d[eo][ _])?(?:usuário|utilizador)|nome[ _]utente"
    r"|gebruikersnaam|nazwa[ _]użytkownika|användarnamn|brukernavn|логин|имя[ _]пользователя|用户名|ユーザー名"
)
_ORDERS = (
    r"order|purchase|booking|reservation|confirmation|itinerary|tracking|invoice|shipment|parcel|transaction"
    r"|(?:bestell|auftrags|buchungs|reservierungs|rechnungs|sendungs|transaktions)-?(?:nummer|nr)|bestellung"
    r"|(?:numéro|n[º°])[ _](?:de[ _])?(?:la[ _])?(?:commande|réservation|facture|suivi|colis)|commande"
    r"|(?:número|n[º°])[ _]d[eo][ _](?:pedido|reserva|factura|fatura|seguimiento|envío|encomenda)|pedido"
    r"|numero[ _](?:d[’']ordine|di[ _](?:ordine|prenotazione|fattura))|ordine"
    r"|(?:bestel|order|boekings|factuur|reserverings|zendings)nummer|numer[ _]zamówienia|номер[ _]заказа|заказ|订单号"
)
_CUSTOMERS = (
    r"(?:customer|client|member(?:ship)?|patient|employee|student|subscriber|loyalty|policy|claim)[ _](?:number|id|no)"
    r"|(?:kunden|mitglieds?|versicherten|patienten|vertrags|personal)-?(?:nummer|nr)"
    r"|(?:numéro|n[º°])[ _](?:de[ _])?(?:client|adhérent|abonné|contrat|dossier|police)"
    r"|(?:número|n[º°])[ _]d[eo][ _](?:cliente|socio|abonado|póliza|contrato|afiliado|apólice)"
    r"|(?:codice|numero)[ _](?:di[ _])?(?:cliente|polizza|contratto)|(?:klant|lid|polis|contract)nummer"
    r"|numer[ _]klienta|номер[ _](?:клиента|договора)|客户号"
)
_TICKETS = (
    r"ticket|case|incident|service[ _]request|complaint|(?:ticket|vorgangs|fall|störungs|beschwerde)-?(?:nummer|nr)"
    r"|(?:numéro|n[º°])[ _](?:de[ _])?(?:ticket|incident|réclamation)"
    r"|(?:número|n[º°])[ _]d[eo][ _](?:ticket|caso|incidencia|reclamación|chamado|protocolo)"
    r"|numero[ _](?:di[ _])?(?:ticket|pratica|segnalazione)|(?:ticket|meldings|zaak)nummer|номер[ _]обращения"
)
_ACCOUNTS = (
    r"account|acct|a/c|routing|sort[ _]code|(?:konto|depot)-?(?:nummer|nr)|bankleitzahl|blz"
    r"|(?:numéro|n[º°])[ _](?:de[ _])?compte|(?:número|n[º°])[ _]d[ea][ _](?:cuenta|conta)|numero[ _](?:di[ _])?conto"
    r"|rekeningnummer|numer[ _](?:konta|rachunku)|номер[ _]сч[её]та|账号|口座番号"
)
_BIRTHS = (
    r"date[ _]of[ _]birth|birth[ _]?(?:day|date)|dob|geburts(?:datum|tag)|geboren(?:[ ](?:am|op))?"
    r"|date[ _]de[ _]naissance|née?[ ]le|fecha[ _]de[ _]nacimiento|nacid[oa][ ]el"
    r"|data[ _]de[ _]nascimento|nascid[oa][ ]em"
    r"|data[ _]di[ _]nascita|nat[oa][ ]il|geboortedatum|data[ _]urodzenia|дата[ _]рождения|生年月日|出生日期"
)
_DATE = r"(?:" + DATE + r"|\d{1,2}\.?[ ](?:de[ ])?\p{L}{3,10}\.?[ ](?:de[ ])?\d{4})"

CUED: tuple[Rule, ...] = (
    *_both("SECRET", "password-cued", _PASSWORDS, _PASSWORD, _password, 1, r"\S{0,60}\d"),
    *_both("SECRET", "code-cued", _CODES, _PIN, None, 4),
    *_both("USERNAME", "username-cued", _USERS, _USER, _user, 0),
    *_both("ORDER_ID", "order-cued", _ORDERS, _NUMBER, _number, 4, _BEGUN),
    *_both("CUSTOMER_ID", "customer-cued", _CUSTOMERS, _NUMBER, _number, 4, _BEGUN),
    *_both("TICKET_ID", "ticket-cued", _TICKETS, _NUMBER, _number, 4, _BEGUN),
    *_both("ACCOUNT_NUMBER", "account-cued", _ACCOUNTS, _NUMBER, _number, 4, _BEGUN),
    *_both("DATE_OF_BIRTH", "birth-cued", _BIRTHS, _DATE, None, 2),
    Rule("USERNAME", "login-as",
         r"\b(?:(?:log(?:ged|ging|s)?|sign(?:ed|ing|s)?)[ -]?(?:in|on)|connect(?:ed|ing)?)[ ]as[ ](?:user[ ])?"
         r"[\"'*`“]{0,3}(?P<v>" + _USER + r")(?![\w@])", 0.7, (" as ",), check=_user),
    Rule("USERNAME", "user-named", r"\b(?:for|by|of|as|the)[ ]user[ ][\"'*`“]{0,3}(?P<v>" + _USER + r")(?![\w@])", 0.7,
         (" user ",), check=_user),
    Rule("USERNAME", "joining-nick",
         r"(?<!\S)[\"'*`“(]{0,3}(?P<v>[^\s<>\"'*`“(]{2,32})(?=[ ][\[(][^\s\])]{1,40}@[^\s\])]{2,100}[\])][ ]has[ ]"
         r"(?:joined|left|quit))", 0.8, ("has joined", "has left", "has quit"),
         gate=r"[\])][ ]has[ ](?:joined|left|quit)"),
)  # fmt: skip
