"""Writes the demo's chats: templated support conversations with personal data, macros and faults planted in them."""

from __future__ import annotations

import random
from dataclasses import dataclass

import orjson

SEED = 20260
GIVEN = [
    "Amara",
    "Bruno",
    "Celia",
    "Dmitri",
    "Elif",
    "Farid",
    "Greta",
    "Hanna",
    "Ivo",
    "Jutta",
    "Kofi",
    "Lena",
    "Marek",
    "Nadia",
    "Oskar",
    "Priya",
    "Ruben",
    "Sana",
]
FAMILY = [
    "Adler",
    "Brandt",
    "Costa",
    "Diallo",
    "Evans",
    "Fischer",
    "Gomez",
    "Hughes",
    "Ivanov",
    "Jansen",
    "Keller",
    "Lopez",
    "Meyer",
    "Novak",
    "Okafor",
]
STREETS = ["Mill Lane", "Church Street", "Station Road", "High Street", "Park Avenue", "Garden Close"]
AGENTS = ("Mira", "Jon", "Tess")
GREETING = (
    "Hello and welcome to Fernway support, my name is {agent} and I am here to help you today. "
    "Please give me a moment while I look at your contract."
)
CLOSING = (
    "Thank you for contacting Fernway. You will receive a short survey by e-mail, and we would be glad if you took "
    "a minute to answer it. Have a pleasant day!"
)


@dataclass(frozen=True, slots=True)
class Issue:
    """One kind of problem: what customers say, what they add, and how it is solved."""

    intent: str
    asks: tuple[str, ...]
    details: tuple[str, ...]
    answers: tuple[str, ...]


ISSUES = (
    Issue(
        "slow-wifi",
        (
            "My Wi-Fi is very slow in the {room} since {day}.",
            "Why do I only get {n} Mbit/s over Wi-Fi in the {room}?",
            "The {device} in the {room} keeps losing the Wi-Fi, what can I do?",
        ),
        ("The router stands in the {room2}, two walls away.", "I measured {n} Mbit/s beside the router."),
        (
            "Please open the router page, choose Wireless, then Channel, and set it to Automatic. Your neighbours are "
            "on the same channel, which explains the {n} Mbit/s.",
            "Use the 2.4 GHz band for the {device}, because it passes three walls. The 5 GHz band only passes one.",
        ),
    ),
    Issue(
        "no-connection",
        (
            "There is no internet since {day}, the signal light is red.",
            "The internet went down at {hour} o'clock and the light blinks red.",
        ),
        ("I restarted it twice already.", "The cable in the {room} looks fine.", "The neighbours have a connection."),
        (
            "No line reaches your router. I have ordered a technician for {day2} between {hour} and {hour2} o'clock, "
            "please make sure that somebody can open the door of the cellar.",
            "Please pull the cable out of the wall socket and push it in again until it clicks; a red light is a "
            "loose cable in eight of ten cases.",
        ),
    ),
    Issue(
        "bill-too-high",
        (
            "My bill of {day} is {money} euros higher than last month, why?",
            "Can you explain the {money} euros on my new bill?",
        ),
        ("I am on the {plan} plan.", "Nothing has changed on my side."),
        (
            "The {money} euros are the days between the opening of your line and the end of the month, plus the "
            "one-time fee of 19 euros for the router. Your next bill is back to the normal price of {plan}.",
            "You had booked a fixed address in the {plan} plan by mistake. I have written a credit note over "
            "{money} euros, which is set against your next bill.",
        ),
    ),
    Issue(
        "move-house",
        (
            "I am moving on {day2}, how can I take my contract with me?",
            "What does it cost to move my {plan} contract to another flat?",
        ),
        ("The new address is {number} {street}.", "The new flat already has a Fernway socket."),
        (
            "I have checked the new address, our network reaches it. As there is a socket already, the move is free "
            "and the line opens on {day2}.",
            "The move costs 39 euros. A technician comes on {day2} at {hour} o'clock and connects the {room}.",
        ),
    ),
    Issue(
        "mail-password",
        (
            "I cannot send mail from my {device}, but receiving works.",
            "How do I get a new mail password for my {device}?",
        ),
        ("The server says the login failed.", "It worked until {day}."),
        (
            "Please change the port for outgoing mail from 465 to 587, since the network of your {room} blocks 465.",
            "I have reset the mail password. Enter the new one on the {device} under Accounts; it differs from the "
            "password of your contract.",
        ),
    ),
    Issue(
        "cancel",
        (
            "I would like to end my {plan} contract by {day2}.",
            "How long is the notice period of the {plan} contract?",
        ),
        ("I am moving abroad.", "The speed was never what I paid for, I got {n} Mbit/s."),
        (
            "The notice period of {plan} is in your contract; I have noted {day2} as the last day. Please send the "
            "rented router back within 14 days, otherwise 60 euros are charged.",
            "I can offer you three months at half price. If you still wish to end {plan}, choose End contract and "
            "confirm with the code from the text message.",
        ),
    ),
)
WORDS = {
    "room": ("kitchen", "bedroom", "attic", "garden room", "cellar", "study", "hall", "nursery"),
    "room2": ("living room", "corridor", "garage", "office"),
    "device": ("laptop", "tablet", "television", "printer", "doorbell", "phone", "camera"),
    "day": ("Monday", "Tuesday", "last week", "the 3rd of May", "yesterday", "two days ago", "the weekend"),
    "day2": ("Wednesday", "Thursday", "the 14th of June", "next Friday", "the 2nd of July", "the end of the month"),
    "plan": ("Basic", "Plus", "Max"),
}
THANKS = (
    "Thank you, that worked!",
    "Great, it works now. Thanks a lot.",
    "Perfect, thanks for the quick help.",
    "That solved it, thank you very much.",
)


def chats(count: int = 240) -> bytes:
    """JSON Lines of conversations; one line is broken and three conversations stand in it twice, on purpose."""
    lines: list[bytes] = []
    for i in range(count):
        lines.append(orjson.dumps(_chat(i)))
        if i in (40, 90, 150):
            again = _chat(i)
            again["id"] = f"{again['id']}-copy"
            lines.append(orjson.dumps(again))
    lines.insert(57, b'{"id": "c-broken", "messages": [{"role": "customer", "text": "cut off here')
    return b"\n".join(lines) + b"\n"


def queries(count: int = 240) -> bytes:
    """CSV of labelled customer sentences: text, intent."""
    rows = ["text,intent"]
    seen: set[str] = set()
    rng = random.Random(SEED + 1)
    while len(seen) < count:
        issue = ISSUES[len(seen) % len(ISSUES)]
        text = rng.choice(issue.asks).format(**_values(rng))
        if rng.random() < 0.6:
            text = f"{text} {rng.choice(issue.details).format(**_values(rng))}"
        if text not in seen:
            seen.add(text)
            rows.append(f'"{text}",{issue.intent}')
    return ("\n".join(rows) + "\n").encode()


def _values(rng: random.Random) -> dict[str, str]:
    chosen = {name: rng.choice(words) for name, words in WORDS.items()}
    hour = rng.randint(8, 16)
    return {
        **chosen,
        "n": str(rng.randint(2, 95)),
        "money": str(rng.randint(4, 60)),
        "hour": str(hour),
        "hour2": str(hour + 2),
        "number": str(rng.randint(1, 190)),
        "street": rng.choice(STREETS),
    }


def _person(rng: random.Random) -> dict[str, str]:
    given, family = rng.choice(GIVEN), rng.choice(FAMILY)
    return {
        "name": f"{given} {family}",
        "email": f"{given}.{family}{rng.randint(1, 99)}@mail-{rng.randint(1, 9)}.net".lower(),
        "phone": f"+44 20 79{rng.randint(10, 99)} {rng.randint(1000, 9999)}",
        "card": _luhn("4" + "".join(str(rng.randint(0, 9)) for _ in range(14))),
        "ip": f"81.{rng.randint(2, 250)}.{rng.randint(2, 250)}.{rng.randint(2, 250)}",
        "customer": f"FW-{rng.randint(100000, 999999)}",
    }


def _luhn(digits: str) -> str:
    total = sum((int(d) * 2 - 9 * (int(d) > 4)) if i % 2 == 0 else int(d) for i, d in enumerate(digits))
    whole = digits + str(-total % 10)
    return " ".join(whole[i : i + 4] for i in range(0, 16, 4))


def _chat(i: int) -> dict[str, object]:
    rng = random.Random(SEED * 1000 + i)
    person, values = _person(rng), _values(rng)
    issue = ISSUES[i % len(ISSUES)]
    agent = rng.choice(AGENTS)
    proof = rng.choice(
        (
            "My name is {name} and my customer number is {customer}.",
            "Sure, {email}, and you can call me on {phone}.",
            "I am {name}, reachable at {phone}.",
            "The card that was charged is {card}, my e-mail is {email}.",
            "The router page shows the address {ip}, and my e-mail is {email}.",
        )
    ).format(**person)
    said = [
        ("agent", GREETING.format(agent=agent)),
        ("customer", f"Hi {agent}. {rng.choice(issue.asks).format(**values)}"),
        ("agent", "I am sorry to hear that. May I have your name or the e-mail address of the contract?"),
        ("customer", f"{proof} {rng.choice(issue.details).format(**values)}"),
        ("agent", f"Thank you, {person['name'].split()[0]}. {rng.choice(issue.answers).format(**values)}"),
    ]
    if rng.random() < 0.8:
        said.append(("customer", rng.choice(THANKS)))
    else:
        said.append(("customer", f"Hm, I will try it in the {values['room2']} and write again."))
    said.append(("agent", CLOSING))
    turns = [{"role": role, "text": text} for role, text in said]
    return {"id": f"c-{i:05d}", "channel": "web", "solved": said[-2][1] in THANKS, "messages": turns}
