"""Rules for ways to reach a person: hidden e-mail addresses, phones, host masks, user names, addresses, birth dates."""

from __future__ import annotations

import re

from corpusforge.curate.redaction.rules import Rule
from corpusforge.curate.redaction.words import COMMON, vocabulary

_GENERIC_USERS = frozenset(
    re.findall(
        r"\S+",
        """
        admin administrator alice bob debian documentation ec2-user example foo bar guest home john me myuser name
        nobody public root shared
        someone someuser ubuntu user user1 username vagrant www-data you your your_name your_username yourname
        yourusername yourself youruser
        """,
    )
)
_PHONE_WORDS = (
    r"(?:tele)?phone|mobile|cell(?:phone)?|tel|fax|whatsapp|landline|call(?:ing)?|text|reach|contact|dial|ring"
    r"|(?:telefon|handy|mobil|rufn|rückruf|durchwahl)\w*|téléphone|portable|fixe|teléfono|m[óo]vil|celular|telefone"
    r"|telem[óo]vel|telefono|cellulare|numero di casa|telefoon\w*|mobiel\w*|(?:numer )?telefon\w*|kom[óo]rk\w*|gsm"
    r"|телефон\w*|тел|моб\w*"
)
_ANNOTATIONS = frozenset(
    re.findall(
        r"\S+",
        """
        all channel everyone font here import keyframes media param return override
        """,
    )
)


def _real_user(text: str, start: int, end: int) -> bool:
    value = text[start:end].casefold().strip("._-")
    return len(value) > 1 and value not in _GENERIC_USERS and not (value in COMMON and len(value) < 4)


def _handle(text: str, start: int, end: int) -> bool:
    return text[start:end].lstrip("@").casefold() not in _ANNOTATIONS


def _claimed_user(text: str, start: int, end: int) -> bool:
    value = text[start:end].casefold()
    # `if no username is specified`
    said = value.endswith(("ed", "ing")) and value in vocabulary()
    return value not in COMMON and value not in _GENERIC_USERS and not said


def _enough_digits(text: str, start: int, end: int) -> bool:
    return 7 <= sum(character.isdigit() for character in text[start:end]) <= 15


_MAIL = (
    r"(?:(?:google|g|ga|hot|y|redd?iff|proton|e)mail|gamil|yahoo|outlook|aol|icloud)[ ]?(?:dot[ ]?)?"
    r"(?:com|co[ ]?uk|co[ ]?in)"
)


def _mailbox(text: str, start: int, end: int) -> bool:
    """Whether what stands before a mail service is somebody's and no word of the sentence: `office 365 outlook com`."""
    first, *rest = text[start:end].casefold().split()
    if rest and rest[0].isdecimal():
        return len(rest) == 2 or first not in vocabulary()
    # `dailymail co uk` is a site; the service runs into a bare name only where all signs were dropped.
    return not first.isalpha() or (not rest and not first.endswith("emailcom"))


_SUFFIX = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Way|Terrace|Ter"
    r"|Close|Crescent|Cres|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Trl|Gardens|Grove|Mews|Walk|Alley|Plaza|Loop|Quay)"
)
_UNIT = (
    r"(?:[ ,]+(?:Apt|Apartment|Suite|Ste|Unit|Floor|Flat|Room|Rm|Building|Bldg)\.?[ ]*\#?[ ]?\w{1,6}"
    r"|[ ,]+\#[ ]?\w{1,5})"
)
_STATE = r"(?:[ ,]*\n?[ ]*(?:[A-Z][\w.'-]+[ ]){0,2}[A-Z][\w.'-]+,?[ ]+[A-Z]{2},?[ ]+\d{5}(?:-\d{4})?)"
_POSTCODE = r"[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2}"
_UK = r"(?:(?:[ ,]+\n?[ ]*[A-Z][\w.'-]+){0,3}[ ,]+\n?[ ]*" + _POSTCODE + r"\b)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
DATE = (
    r"(?:\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}|\d{1,2}(?:st|nd|rd|th)?(?: of)?[ -]" + _MONTH + r",?[ -]?(?:\d{4}|\d{2})?"
    r"|" + _MONTH + r"[ -]\d{1,2}(?:st|nd|rd|th)?,?(?:[ -]\d{4})?)"
)  # fmt: skip
_AT = r"(?:[ ]*[\[({<][ ]*(?:at|@|\(at\))[ ]*[\])}>][ ]*|[ ]+(?:at)[ ]+|[ ]?[\[({]at[\])}][ ]?)"
_DOT = r"(?:[ ]*[\[({<][ ]*(?:dot|\.|d0t)[ ]*[\])}>][ ]*|[ ]+dot[ ]+|\.)"
CONTACTS: tuple[Rule, ...] = (
    Rule("EMAIL_ADDRESS", "email-spelled",
         r"(?<![\w.@])(?P<v>[a-z0-9][\w.+-]{0,40}(?:[ ]dot[ ][\w+-]{1,30}){0,2}" + _AT
         + r"[a-z0-9][\w-]{0,40}(?:" + _DOT
         + r"[a-z0-9-]{2,30}){0,3}(?:[ ]*[\[({<][ ]*(?:dot|\.)[ ]*[\])}>][ ]*|[ ]+dot[ ]+)[a-z]{2,10})\b", 0.8,
         ("dot", "[.]", "(.)")),
    Rule("EMAIL_ADDRESS", "email-hidden-at",
         r"(?<![\w.@])[a-z0-9][\w.+-]{0,40}[ ]?[\[({<][ ]?(?:at|@)[ ]?[\])}>][ ]?[a-z0-9-]+"
         r"(?:\.[a-z0-9-]+)*\.[a-z]{2,10}\b",
         0.8, ("at)", "at]", "at}", "at>", "@)", "@]", "(@", "[@", "at )", "at ]")),
    # Exports that drop signs leave `anna 42 gmailcom` of an address, or `annahotmailcom`.
    Rule("EMAIL_ADDRESS", "email-without-signs",
         r"(?<![\w.@+-])(?P<v>(?:[a-z]{2,20}[ ]\d{1,4}[ ](?=" + _MAIL + r")|(?!" + _MAIL + r"\b)[\w.+-]{1,40}@?)"
         + _MAIL + r")(?![\w@-])", 0.7, ("mail", "yahoo", "outlook", "aol", "icloud"), check=_mailbox, chat_only=True,
         gate=_MAIL + r"(?![\w@-])"),
    Rule("EMAIL_ADDRESS", "email-in-kana",
         r"(?<=[\u3040-\u9fff\uac00-\ud7af])(?P<v>[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,18})"
         r"|(?P<v>[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,18})(?=[\u3040-\u9fff\uac00-\ud7af])",
         0.8, ("@",),
         gate=r"[^\x00-\x7f][a-z0-9][a-z0-9._%+-]{0,63}@|@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,18}[^\x00-\x7f]"),
    Rule("EMAIL_ADDRESS", "email-escaped",
         r"(?<![\w.%])[a-z0-9](?:[\w.+-]|&\#0*46;|&\#x0*2e;|&period;){0,60}"
         r"(?:&\#0*64;|&\#x0*40;|&commat;|%40|[ ]@[ ]|\uFF20)[a-z0-9-]+"
         r"(?:(?:\.|&\#0*46;|&\#x0*2e;|&period;|%2e)[a-z0-9-]+)*(?:\.|&\#0*46;|&\#x0*2e;|&period;|%2e)[a-z]{2,10}\b",
         0.8, ("&#", "&commat", "%40", " @ ", "\uff20"),
         gate=r"(?:&\#0*64;|&\#x0*40;|&commat;|%40|[ ]@[ ]|[^\x00-\x7f])[a-z0-9-]"),
    Rule("HOSTMASK", "nick-mask",
         r"(?<![^\s\[(<*\"'])[^\s!@\[\](),\"']{1,40}![~^+=-]?[^\s!@\[\](),]{1,30}@[^\s\])>,]{2,120}", 0.9, ("@",)),
    Rule("HOSTMASK", "ident-mask", r"(?<![\w!@~])[~^][\w.-]{1,30}@[\w.:/-]{2,120}", 0.9, ("@",)),
    Rule("HOSTMASK", "user-at-host",
         r"(?<![\w.@/:+-])(?P<v>[a-z_][\w.+-]{0,40}@(?!(?:github|gitlab|bitbucket)\.)[a-z0-9](?:[\w-]*\.)+"
         r"(?:[a-z][a-z0-9]{1,23}|\d{1,3}))(?![\w@])",
         0.5, ("@",)),
    Rule("HOSTMASK", "shell-prompt", r"(?<![\w.@/-])(?P<v>[a-z_][\w.-]{0,30}@[a-z][\w.-]{0,60})"
         r"(?=:[~/][^\n]{0,120}[$\#]|[ ]\S{1,40}\][$\#])",
         0.7, ("@",), check=_real_user),
    Rule("HOSTMASK", "cloak", r"(?<![\w@])(?:gateway|unaffiliated|conference|user)/[\w./:^|\[\]{}-]{3,80}", 0.6,
         ("gateway/", "unaffiliated/")),
    Rule("IP_ADDRESS", "ip-in-host",
         r"(?<![\w.-])(?:[a-z][a-z0-9]*[.-]){0,4}\d{1,3}[.-]\d{1,3}[.-]\d{1,3}[.-]\d{1,3}"
         r"(?:[.-][a-z0-9-]*[a-z][a-z0-9-]*)+\.(?:[a-z0-9-]+\.)*[a-z]{2,6}\b",
         0.6, (".",), digits=4),
    Rule("PHONE_NUMBER", "phone-cue",
         r"(?<![\p{L}\d])(?:" + _PHONE_WORDS + r")(?![\p{L}\d])(?:[^\d\n<>]|</?t[dh]>){0,32}?"
         r"(?P<v>[+(]{0,2}\d[\d ().\-/]{5,20}\d)(?![\d-])", 0.6,
         ("phone", "mobil", "cell", "tel", "fax", "whatsapp", "landline", "call", "text", "reach", "contact", "dial",
          "ring", "handy", "ruf", "durchwahl", "portable", "fixe", "móvil", "movil", "celular", "numero", "mobiel",
          "komórk", "komork", "gsm", "тел", "моб"),
         digits=7, check=_enough_digits),
    # A label, and a number that the end of a line or of the turn cuts.
    Rule("PHONE_NUMBER", "phone-over-lines",
         r"(?:(?<![\p{L}\d])(?:" + _PHONE_WORDS + r")(?:[ ]number)?|电话|電話番号|手机)[ ]?[:：][ ]*\n?"
         r"(?P<v>[+(]{0,2}\d[\d ().\-/]{1,16}\n[ ]?\d[\d ().\-/]{0,14}\d)(?![\d-])", 0.6,
         (":", "："), digits=7, check=_enough_digits),
    Rule("PHONE_NUMBER", "phone-begun",
         r"(?:(?<![\p{L}\d])(?:" + _PHONE_WORDS + r")(?:[ ]number)?)[ ]?:[ ]*(?P<v>[+(]{0,2}\d[\d ().-]{0,8}\d)[ ]*\Z",
         0.6, (":",), digits=2, chat_only=True),
    Rule("PHONE_NUMBER", "phone-cue-cjk",
         r"(?:电话|電話|手机|携帯|传真|전화|휴대폰)[^\d\n<>+]{0,12}?(?P<v>[+(]{0,2}\d[\d ().\-/]{5,20}\d)(?![\d-])",
         0.6, ("电话", "電話", "手机", "携帯", "传真", "전화", "휴대폰"), digits=7, check=_enough_digits),
    Rule("PHONE_NUMBER", "phone-nanp",
         r"(?<![\w.+/=:-])(?P<v>(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\)[ .-]?|[2-9]\d{2}([ .-]))[2-9]\d{2}(?(2)\2"
         r"|[ .-])\d{4}(?:[ ]?(?:x|ext\.?)[ ]?\d{1,6})?)(?![\w/-])(?!\.\d)",
         0.6, digits=10, gate=r"[2-9]\d{2}\)?[ .-]?[2-9]\d{2}[ .-]\d{4}"),
    Rule("PHONE_NUMBER", "phone-international", r"(?<![\w.+/=])(?P<v>(?:\+|00)[ ]?[1-9]\d{0,2}[ .(-]{0,2}\d"
         r"(?:[ ().-]{0,2}\d){5,13})(?!\w)",
         0.5, ("+", "00"), digits=7, check=_enough_digits),
    Rule("USERNAME", "at-handle", r"(?<![\w@./:!~=-])@[a-z_]\w{2,30}\b(?![(.]\w)", 0.6,
         ("@",), check=_handle, chat_only=True),
    Rule("USERNAME", "username-cue",
         r"\b(?:user ?name|user ?id|login(?: name)?|nick(?:name)?|screen ?name|handle|skype|discord|telegram"
         r"|twitter|instagram)"
         r"(?:[ ](?:is|was)|[ ]?[:=])[ ]*[\"'@]?(?P<v>[a-z0-9_][\w.|-]{1,40}\w)", 0.7,
         ("user", "login", "nick", "screen", "handle", "skype", "discord", "telegram", "twitter", "instagram"),
         check=_claimed_user),
    Rule("USERNAME", "home-path", r"(?:/home/|/Users/|[A-Z]:\\+(?:Users|Documents and Settings)\\+)"
         r"(?P<v>[\w.-]{2,32})(?=[/\\\s:\"')]|$)",
         0.7, ("/home/", "/users/", ":\\"), check=_real_user),
    Rule("STREET_ADDRESS", "street",
         r"(?<![\w.,/-])(?:(?:Flat|Apt|Apartment|Unit|Suite)\.?[ ]\w{1,5},?[ ])?\d{1,6}[A-Za-z]?"
         r"(?:-\d{1,5})?,?[ ]+(?:[NSEW]{1,2}\.?[ ]+|(?:North|South|East|West)[ ]+)?"
         r"(?:(?:[A-Z][\w'.-]*|\d{1,3}(?:st|nd|rd|th))[ ]+){1,4}" + _SUFFIX + r"\b\.?(?:[ ][NSEW]{1,2}\b)?" + _UNIT
         + r"?(?:" + _STATE + r"|" + _UK + r")?",
         0.7, digits=1, cased=True),
    Rule("STREET_ADDRESS", "po-box", r"\bP\.?[ ]?O\.?[ ]?Box[ ]\d{1,7}(?:,?[ ]"
         r"(?:[A-Z][\w.'-]+[ ,]+){1,3}[A-Z]{2}[ ]\d{5})?", 0.7,
         ("box",), digits=1),
    Rule("STREET_ADDRESS", "city-state-zip", r"\b(?:[A-Z][a-z.'-]+[ ]){0,2}[A-Z][a-z.'-]+,[ ]*[A-Z]{2}[ ]+\d{5}"
         r"(?:-\d{4})?\b", 0.6, digits=5, cased=True),
    Rule("STREET_ADDRESS", "uk-postcode-cue", r"\b(?:postcode|post code|zip(?: ?code)?|postal code)"
         r"(?:[ ]is)?[ :]+(?P<v>" + _POSTCODE + r"|\d{5}(?:-\d{4})?)\b", 0.7,
         ("post", "zip"), digits=2),
    Rule("STREET_ADDRESS", "address-cue",
         r"\b(?:address(?:[ ]is)?|live[sd]?[ ](?:at|on)|reside[sd]?[ ]at|ship(?:ped)?[ ](?:it[ ])?to|deliver"
         r"(?:ed)?[ ](?:it[ ])?to|moved[ ]to)[ :]+"
         r"(?P<v>\#?\d{1,6}[a-z]?[ ,]+(?:[\w'.-]+[ ,]+){0,5}?" + _SUFFIX + r"\b\.?" + _UNIT
         + r"?(?:[ ,]+[a-z][\w.'-]+){0,3}?(?:[ ,]+\d{5}(?:-\d{4})?)?)(?=[\s,.;!?]|$)",
         0.7, ("address", "live", "reside", "ship", "deliver", "moved"), digits=1),
    Rule("DATE_OF_BIRTH", "birth-cue", r"(?:\bdate of birth|\bd\.?o\.?b\b\.?|\bborn(?: on)?|\bbirth ?(?:day"
         r"|date))[^\d\n<>]{0,20}?(?P<v>" + DATE + r")(?![\w/])", 0.8,
         ("birth", "dob", "d.o.b", "born"), digits=2),
)  # fmt: skip
