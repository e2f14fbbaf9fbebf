"""What stands between the name of a value and the value: in sentences of several languages, tables, JSON and logs."""

from __future__ import annotations

# Words that go on with the name: `order number`, `Kunden-Nr.`, `número de pedido nº`.
_MORE = (
    r"(?:[ _-]*(?:number|numbers|no\b\.?|num\b|nr\b\.?|n[º°]|nummer|numret|id\b|code|reference"
    r"|ref\b\.?|号码|番号|号|번호|\#))*"
)
_BE = r"(?:is|was|ist|war|lautet|est|es|era|é|è|jest|to|are|ends?(?:ing)?(?:[ ]in)?|ending(?:[ ]in)?)"
# A value's name, what may close it (quotes, bold), what links it to the value, and what may open the value.
LINK = (
    _MORE + r"[\"'*`_”)\]]{0,3}(?:[ ]" + _BE + r"(?![\p{L}\d]))?"
    r"(?:[ ]?</t[dh]>[ ]?<t[dh]>|[ ]?(?:[:：=＝;|]|[-=]>|は|是|为)[ ]?\n?|[ ])?[ ]?[\"'*`“„«(<\[@\#]{0,3}"
)
# The same the other way round: `is 123 your order number`.
REVERSED = (
    r"\bis[ ][\"'*`“„«(<\[@\#]{{0,3}}(?P<v>{value})[\"'*`”»)>\]]{{0,3}}[ ](?:the|your|my|a|an)[ ](?:{names})(?!\p{{L}})"
)
