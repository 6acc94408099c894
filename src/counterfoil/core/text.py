"""Text as it is compared and sorted. What people typed is kept elsewhere; these forms are only for searching."""

from __future__ import annotations

import re
import unicodedata

__all__ = [
    "email_domain",
    "is_public_mail_domain",
    "normalised_code",
    "normalised_name",
    "plain",
    "sort_key",
]

# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t", "ß": "ss"}
)

# Legal forms as they stand at the end of a name, without dots and accents. Longer ones are tried first.
_LEGAL_FORMS = tuple(
    sorted(
        (
            tuple(form.split())
            for form in """
            ab|ag|ag and co kg|aktiengesellschaft|aps|as|asa|a s|bhd|sdn bhd|bv|bvba|ca|co|company|corp|corporation|co ltd|
            cv|cia|cia ltda|da|doo|d o o|dd|ead|eg|ehf|ek|eood|eu|ev|fzco|fze|fz llc|gbr|gesmbh|gmbh|gmbh and co|
            gmbh and co kg|gmbh and co kgaa|gesellschaft mit beschrankter haftung|ggmbh|hf|inc|incorporated|
            inc ltd|jsc|kft|kg|kgaa|kk|kb|kabushiki kaisha|lda|limited|limited liability company|
            limited liability partnership|llc|llp|lp|ltd|ltda|ltee|mbh|nv|nyrt|oao|ohg|ood|oo|ooo|oy|oyj|
            p c|pc|plc|pllc|private limited|pte|pte ltd|pty|pty ltd|pty limited|public limited company|pvt ltd|
            pvt|rt|sa|sa de cv|s a p i de cv|sapi de cv|sab de cv|sae|sal|sarl|sa rl|sas|sasu|sc|sca|scs|se|sia|
            sl|slu|snc|s r o|sro|spa|sp k|sp j|sp zoo|sp z oo|spzoo|spolka akcyjna|srl|srls|s de rl de cv|
            societe anonyme|sociedad anonima|sociedad limitada|tov|uab|ug|ug haftungsbeschrankt|
            unlimited|vof|zao|zrt|ооо|оао|зао|пао|ао|тов|αε|επε|ικε|ae|epe|ike|as anonim sirketi|as ve tic|
            ltd sti|limited sirketi|anonim sirketi
            """.split("|")
            if form.strip()
        ),
        key=lambda words: (-len(words), words),
    )
)
# Legal forms that are written without a space before or after the name.
_JOINED_FORMS = re.compile(
    unicodedata.normalize(
        "NFKD",
        r"\(株\)|\(有\)|\(주\)|株式会社|有限会社|合同会社|股份有限公司|有限责任公司|有限公司|股份公司|주식회사|유한회사",
    )
)
_INITIALS = re.compile(r"\b(?:[^\W\d_][./]\s?)+[^\W\d_]?(?![^\W_])")

_PUBLIC_MAIL_DOMAINS = frozenset(
    """
    126.com 163.com 139.com 189.cn aim.com alice.it aol.com arcor.de att.net bigpond.com bluewin.ch bol.com.br
    btinternet.com caramail.com centurylink.net charter.net comcast.net cox.net daum.net duck.com earthlink.net email.cz
    email.it fastmail.com fastmail.fm foxmail.com free.fr freemail.hu freenet.de frontier.com gmail.com gmx.at gmx.ch
    gmx.com gmx.de gmx.net googlemail.com hanmail.net hey.com hotmail.ca hotmail.co.uk hotmail.com hotmail.de hotmail.es
    hotmail.fr hotmail.it hush.com hushmail.com icloud.com inbox.com inbox.lv interia.pl juno.com kakao.com laposte.net
    libero.it list.ru live.ca live.co.uk live.com live.fr live.nl mac.com mail.bg mail.com mail.de mail.ru mailbox.org
    me.com msn.com naver.com neuf.fr nate.com ntlworld.com o2.pl onet.pl optonline.net optusnet.com.au orange.fr
    outlook.com outlook.de outlook.es outlook.fr outlook.it pm.me posteo.de proton.me protonmail.ch protonmail.com qq.com
    rambler.ru rediffmail.com rocketmail.com rogers.com sapo.pt sbcglobal.net seznam.cz sfr.fr shaw.ca sina.com sky.com
    sohu.com t-online.de talktalk.net telenet.be telstra.com terra.com.br tin.it tiscali.it tuta.com tutanota.com uol.com.br
    verizon.net virgilio.it virginmedia.com wanadoo.fr web.de windowslive.com wp.pl xs4all.nl xtra.co.nz yahoo.ca
    yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.au yahoo.com.br yahoo.de yahoo.es yahoo.fr yahoo.it yandex.com
    yandex.ru yeah.net ymail.com zoho.com
    """.split()
)


def plain(text: str) -> str:
    """The text without case and without the accents of Latin, Greek and Cyrillic letters."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not "\u0300" <= letter <= "\u036f").translate(_LETTERS)


def normalised_name(text: str) -> str:
    """A company's or person's name for the search of duplicates: no case, accents, punctuation or legal form.

    A name that consists of nothing but a legal form keeps it. Two names that meet here may still be two companies.
    """
    bare = plain(text).replace("&", " and ").replace("+", " and ")
    unjoined = _JOINED_FORMS.sub(" ", bare)
    words = _words(unjoined) or _words(bare)
    while len(words) > 1:
        form = next(
            (form for form in _LEGAL_FORMS if len(form) < len(words) and tuple(words[-len(form) :]) == form), None
        )
        if form is None:
            break
        del words[-len(form) :]
        if len(words) > 1 and words[-1] == "and":
            del words[-1]
    return unicodedata.normalize("NFC", " ".join(words))


def normalised_code(text: str) -> str:
    """A tax id or registration number for comparison: its letters and digits in upper case."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).upper() if letter.isalnum())


def email_domain(address: str) -> str:
    """What stands behind the last @, in lower case and without a closing dot; empty where there is none."""
    name, at, domain = address.strip().rpartition("@")
    return domain.strip().rstrip(".>").lower() if at and name else ""


def is_public_mail_domain(domain: str) -> bool:
    """Whether anybody can have an address there, so that it says nothing about a company."""
    return domain.strip().rstrip(".").lower() in _PUBLIC_MAIL_DOMAINS


def sort_key(text: str) -> str:
    """What a list of names is ordered by: as people expect in any language, without leading punctuation."""
    return unicodedata.normalize("NFC", " ".join(plain(text).split())).lstrip("\"'«»„“”‘’([{-–—.,*# ")


def _words(text: str) -> list[str]:
    """Words of letters and digits; initials such as G.m.b.H. or A/S become one word."""
    joined = _INITIALS.sub(lambda found: re.sub(r"[./\s]", "", found.group()) + " ", text)
    joined = re.sub(r"['’`´]", "", joined)
    return "".join(letter if _is_part(letter) else " " for letter in joined).split()


def _is_part(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter) in ("Mn", "Mc")
