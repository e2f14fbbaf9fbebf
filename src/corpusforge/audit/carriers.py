"""The sentences that carry an invented value: a cue in the language and a frame around it, written for this audit."""

from __future__ import annotations

# What a value is called, by kind and language; English serves where a language has no word here.
CUES: dict[str, dict[str, str]] = {
    "email": {"en": "e-mail", "de": "E-Mail-Adresse", "fr": "adresse e-mail", "es": "correo electrónico",
              "pt": "e-mail", "it": "indirizzo e-mail", "nl": "e-mailadres", "pl": "adres e-mail", "ru": "почта",
              "ja": "メールアドレス", "zh": "邮箱"},
    "phone": {"en": "phone number", "de": "Telefonnummer", "fr": "numéro de téléphone", "es": "número de teléfono",
              "pt": "telefone", "it": "numero di telefono", "nl": "telefoonnummer", "pl": "numer telefonu",
              "ru": "телефон", "ja": "電話番号", "zh": "电话"},
    "card": {"en": "credit card", "de": "Kreditkarte", "fr": "carte bancaire", "es": "tarjeta de crédito",
             "pt": "cartão de crédito", "it": "carta di credito", "nl": "creditcard", "ru": "номер карты"},
    "iban": {"en": "IBAN"},
    "ssn": {"en": "social security number"},
    "ip": {"en": "IP address", "de": "IP-Adresse", "fr": "adresse IP", "es": "dirección IP"},
    "mac": {"en": "MAC address", "de": "MAC-Adresse", "fr": "adresse MAC"},
    "crypto": {"en": "wallet", "de": "Wallet", "es": "monedero"},
    "url": {"en": "link", "de": "Link", "fr": "lien", "es": "enlace"},
    "secret": {"en": "API key", "de": "API-Schlüssel", "fr": "clé API", "es": "clave de API"},
    "password": {"en": "password", "de": "Passwort", "fr": "mot de passe", "es": "contraseña", "pt": "senha",
                 "it": "password", "nl": "wachtwoord", "pl": "hasło", "ru": "пароль", "zh": "密码"},
    "code": {"en": "verification code", "de": "Bestätigungscode"},
    "username": {"en": "username", "de": "Benutzername", "fr": "nom d'utilisateur", "es": "usuario",
                 "it": "nome utente", "nl": "gebruikersnaam", "ru": "логин"},
    "order-id": {"en": "order number", "de": "Bestellnummer", "fr": "numéro de commande", "es": "número de pedido",
                 "pt": "número do pedido", "it": "numero d'ordine", "nl": "bestelnummer"},
    "customer-id": {"en": "customer number", "de": "Kundennummer", "fr": "numéro client", "es": "número de cliente",
                    "nl": "klantnummer"},
    "ticket-id": {"en": "ticket", "de": "Ticketnummer", "fr": "numéro de ticket"},
    "account": {"en": "account number", "de": "Kontonummer", "fr": "numéro de compte", "es": "número de cuenta"},
    "address": {"en": "address", "de": "Adresse", "fr": "adresse", "es": "dirección", "pt": "endereço",
                "it": "indirizzo", "nl": "adres"},
    "date-of-birth": {"en": "date of birth", "de": "Geburtsdatum", "fr": "date de naissance",
                      "es": "fecha de nacimiento"},
    "passport": {"en": "passport number", "de": "Reisepassnummer", "fr": "numéro de passeport",
                 "es": "número de pasaporte"},
    "licence": {"en": "driver's license", "de": "Führerscheinnummer"},
    "name": {"en": "name", "de": "Name", "fr": "nom", "es": "nombre", "pt": "nome", "it": "nome", "nl": "naam",
             "pl": "imię i nazwisko", "ru": "имя", "ja": "お名前", "zh": "姓名"},
    "hostmask": {"en": "host"},
}  # fmt: skip

# Sentences that need no article for the cue, so that one frame serves every word. Short: longer ones would be found
# in many planted records and taken for boilerplate or contamination.
FRAMES: dict[str, tuple[str, ...]] = {
    "en": ("My {cue} is {value}.", "{cue}: {value}", "Please note {cue} {value} for the case.",
           "You can look it up, {cue} {value}, thanks.", "It still says {cue} {value} on my side.",
           "here is my {cue} {value}", "Is {value} the {cue} you have?"),
    "de": ("Hier steht: {cue} {value}.", "{cue}: {value}", "Bitte notieren Sie {cue} {value} dazu.",
           "Bei mir steht {cue} {value}, danke."),
    "fr": ("Voici: {cue} {value}.", "{cue} : {value}", "Merci de noter {cue} {value} au dossier."),
    "es": ("Aquí tiene: {cue} {value}.", "{cue}: {value}", "Anote por favor {cue} {value} en el caso."),
    "pt": ("Aqui está: {cue} {value}.", "{cue}: {value}", "Anote por favor {cue} {value} no caso."),
    "it": ("Ecco: {cue} {value}.", "{cue}: {value}", "Segni per favore {cue} {value} nella pratica."),
    "nl": ("Hier is het: {cue} {value}.", "{cue}: {value}", "Noteer alstublieft {cue} {value} erbij."),
    "pl": ("Proszę zapisać: {cue} {value}.", "{cue}: {value}"),
    "ru": ("Запишите, пожалуйста: {cue} {value}.", "{cue}: {value}"),
    "ja": ("{cue}は{value}です。", "{cue}: {value}"),
    "zh": ("我的{cue}是 {value}。", "{cue}: {value}"),
}  # fmt: skip

# Where names stand: what each form is called, and its sentences by language.
NAMING: dict[str, dict[str, tuple[str, ...]]] = {
    "introduce": {
        "en": ("my name is {value}", "Hi, this is {value} calling about the bill.", "I am {value}, by the way."),
        "de": ("Mein Name ist {value}.", "Hier spricht {value}, es geht um die Rechnung."),
        "fr": ("Je m'appelle {value}.", "Bonjour, je suis {value}, c'est pour la facture."),
        "es": ("Me llamo {value}.", "Hola, soy {value} y llamo por la factura."),
        "pt": ("Meu nome é {value}.", "Olá, aqui fala {value}."),
        "it": ("Mi chiamo {value}.", "Buongiorno, sono {value}."),
        "nl": ("Mijn naam is {value}.", "Hallo, u spreekt met {value}."),
        "pl": ("Nazywam się {value}.",),
        "ru": ("Меня зовут {value}.",),
        "ja": ("私の名前は{value}です。",),
        "zh": ("我叫{value}，你好。",),
    },
    "greeting": {
        "en": ("Dear {value},", "Hello {value}, thank you for waiting.", "Hi {value}! Let me look."),
        "de": ("Hallo {value}, danke für die Geduld.", "Guten Tag {value},"),
        "fr": ("Bonjour {value}, merci de patienter.",),
        "es": ("Hola {value}, gracias por esperar.", "Estimada {value}:"),
        "pt": ("Olá {value}, obrigado por aguardar.",),
        "it": ("Gentile {value}, grazie per l'attesa.",),
        "nl": ("Beste {value}, bedankt voor het wachten.",),
    },
    "sign-off": {
        "en": ("Kind regards,\n{value}", "Thanks,\n{value}", "Best wishes\n\n{value}"),
        "de": ("Mit freundlichen Grüßen\n{value}", "Viele Grüße\n{value}"),
        "fr": ("Cordialement,\n{value}",),
        "es": ("Un saludo,\n{value}",),
        "it": ("Cordiali saluti,\n{value}",),
        "nl": ("Met vriendelijke groet,\n{value}",),
    },
    "role": {
        "en": ("Your technician {value} comes on Friday.", "our manager {value} will call back", "Agent: {value}"),
        "de": ("Ihr Techniker {value} kommt am Freitag.",),
        "fr": ("Votre technicien {value} passe vendredi.",),
        "es": ("Su técnico {value} viene el viernes.",),
    },
    "mention": {
        "en": ("I already told {value} about it.", "{value} said it would be free.", "Please ask {value} before noon.",
               "The letter went to {value} instead."),
        "de": ("Das hat mir {value} schon gesagt.", "Bitte fragen Sie {value} danach."),
        "fr": ("J'en ai déjà parlé à {value} hier.",),
        "es": ("Ya se lo dije a {value} ayer.",),
        "pt": ("Já falei com {value} ontem.",),
        "it": ("Ne ho già parlato con {value} ieri.",),
        "nl": ("Ik heb het gisteren aan {value} verteld.",),
        "pl": ("Rozmawiałem już z {value} wczoraj.",),
        "ru": ("Я уже говорил с {value} вчера.",),
        "zh": ("昨天我已经告诉{value}了。",),
        "ja": ("昨日{value}さんに伝えました。",),
    },
}  # fmt: skip


def cue(kind: str, language: str) -> str:
    """What a kind is called in a language, else in English, else the kind's own word (a national id's name)."""
    words = CUES.get(kind)
    return kind if words is None else words.get(language, words["en"])


def frames(language: str) -> tuple[str, ...]:
    """The sentences of a language."""
    return FRAMES.get(language, FRAMES["en"])
