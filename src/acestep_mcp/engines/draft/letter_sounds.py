"""How the letters of languages other than English sound, in X-SAMPA: rules in the order in which they are tried.

A vowel only has to be near: the voice of a draft sings vowels, and consonants as short noises.
"""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

_LATIN = """
a=a e=e i=i o=o u=u y=i ä=E ö=2 ü=y å=O æ={ ø=2 œ=9 ı=1 ő=2 ű=y ã=A õ=O ß=s ł=w đ=d ð=D þ=T
b=b c=k d=d f=f g=g h=h j=j k=k l=l m=m n=n p=p q=k r=r s=s t=t v=v w=w x=ks z=z ç=s ñ=nj sh=S ch=tS
"""
_CYRILLIC = """
а=a о=o у=u э=E ы=1 и=i і=i ї=ji е=je ё=jo ю=ju я=ja є=je б=b в=v г=g ґ=g д=d ж=Z з=z й=j к=k л=l м=m н=n п=p р=r с=s т=t ф=f х=x
ц=ts ч=tS ш=S щ=S ъ= ь= ў=w ј=j љ=lj њ=nj џ=dZ ћ=tS ђ=dZ
"""
_GREEK = """
ου=u αι=e ει=i οι=i υι=i αυ=av ευ=ev ού=u αί=e εί=i οί=i αύ=av εύ=ev μπ=b ντ=d α=a ε=e η=i ι=i ο=o υ=i ω=o
β=v γ=g δ=D ζ=z θ=T κ=k λ=l μ=m ν=n ξ=ks π=p ρ=r σ=s ς=s τ=t φ=f χ=x ψ=ps
"""
GENERAL = f"{_LATIN} {_CYRILLIC} {_GREEK}"

RULES: dict[str, str] = {
    "es": "qu=k gu(?=[eiéí])=g güe=we ll=j ñ=nj ch=tS j=x g(?=[eiéí])=x z=s c(?=[eiéí])=s v=b h= rr=r y$=i y=j "
          "ie=je ié=je ue=we ué=we ia=ja io=jo ió=jo ua=wa au=aU ai=aI ei=eI oi=oI eu=eU ay=aI ey=eI oy=oI uy=uI",
    "pt": "lh=lj nh=nj ch=S c(?=[eiéí])=s j=Z g(?=[eiéí])=Z qu(?=[eiéí])=k gu(?=[eiéí])=g ão=aU ões=oIs õe=oI ãe=aI ou=oU x=S h= rr=r "
          "au=aU ai=aI ei=eI oi=oI eu=eU ia=ja io=jo o$=u os$=us e$=i",
    "it": "ch=k gh=g sci(?=[aou])=S sc(?=[ei])=S ci(?=[aou])=tS c(?=[eièéì])=tS gli=lji gn=nj gi(?=[aou])=dZ g(?=[eièéì])=dZ z=ts h= qu=kw "
          "ia=ja ie=je io=jo uo=wO au=aU ai=aI ei=eI oi=oI",
    "fr": "eaux=o eau=o aux=o au=o oin=wE oie=wa oi=wa ien=jE ie$=i ies$=i oy=waj oui=wi ou=u où=u oû=u œu=2 eu=2 ain=E ein=E aim=E ai=E aî=E ei=E ill=ij "
          "am(?=[bp])=A an(?=[^aeiouyn]|$)=A em(?=[bp])=A ent$= en(?=[^aeiouyn]|$)=A om(?=[bp])=O on(?=[^aeiouyn]|$)=O im(?=[bp])=E "
          "in(?=[^aeiouyn]|$)=E un(?=[^aeiouyn]|$)=9 er$=e ez$=e é=e è=E ê=E ë=E e(?=[^aeiouyrl][^aeiouyrl])=E e(?=[^aeiouy]$)=E es$=@ e=@ "
          "ui=wi i(?=[aeoéè])=j u=y û=y gn=nj ch=S j=Z ge(?=[ao])=Z g(?=[eiyéè])=Z gu(?=[ei])=g qu=k c(?=[eiyéèê])=s ç=s h= ph=f "
          "(?<=[a-zéè])[tdsxzp]$= (?<=[aeiouy])s(?=[aeiouyé])=z",
    "de": "sch=S tsch=tS ch=x ck=k ei=aI ai=aI ey=aI ay=aI ie=i eu=OI äu=OI au=aU ä=E ö=2 ü=y ee=e aa=a oo=o z=ts tz=ts v=f w=v j=j "
          "(?<=[aeiouäöü])h(?=[^aeiouäöü]|$)= s(?=[aeiouäöü])=z ^st=St ^sp=Sp er$=@ en$=@n el$=@l e$=@ e(?=[^aeiouäöü][^aeiouäöü])=E ng=N "
          "qu=kv th=t ph=f dt=t",
    "nl": "ij=EI ei=EI oe=u ui=9y eu=2 ou=aU au=aU ie=i aa=a ee=eI oo=oU uu=y sch=sx ch=x g=x w=v j=j ng=N en$=@ er$=@r e$=@ u=9",
    "pl": "cz=tS sz=S rz=Z ch=x dż=dZ dź=dZ ł=w w=v ć=tS ci(?=[aeouąęó])=tS ś=S si(?=[aeouąęó])=S ź=Z ż=Z c=ts ą=O ę=E ó=u y=1 j=j "
          "i(?=[aeouąęó])=j h=x ń=nj",
    "cs": "ch=x č=tS š=S ž=Z ř=Z c=ts j=j ou=oU ů=u ě=je y=i ý=i ň=nj ť=tj ď=dj",
    "fi": "ä={ ö=2 y=y j=j aa=a ee=e ii=i oo=o uu=u yy=y ää={ ai=aI ei=eI oi=oI ui=uI yi=yI au=aU eu=eU ou=oU iu=iU ie=iE uo=uO yö=y2 "
          "öy=2y äi={I",
    "hu": "sz=s zs=Z cs=tS gy=dj ny=nj ly=j s=S c=ts á=a a=O é=e e=E ö=2 ő=2 ü=y ű=y j=j",
    "tr": "ç=tS ş=S c=dZ j=Z ğ= ı=1 ö=2 ü=y y=j",
    "sv": "å=O ä=E ö=2 sj=S skj=S sk(?=[eiyäö])=S tj=S kj=S g(?=[eiyäö])=j y=y j=j ng=N",
    "da": "å=O æ=E ø=2 ej=aI eg=aI y=y j=j ng=N",
    "ro": "ă=@ â=1 î=1 ș=S ş=S ț=ts ţ=ts ch=k gh=g c(?=[ei])=tS g(?=[ei])=dZ j=Z ea=ja oa=wa",
    "id": "ng=N ny=nj sy=S c=tS j=dZ y=j e=@ ai=aI au=aU",
}  # fmt: skip
"""By language code; letters without a rule sound as in `GENERAL`, without their accents."""

JAMO = {
    "A": "a", "AE": "E", "YA": "ja", "YAE": "jE", "EO": "V", "E": "e", "YEO": "jV", "YE": "je", "O": "o", "WA": "wa", "WAE": "wE",
    "OE": "we", "YO": "jo", "U": "u", "WEO": "wV", "WE": "we", "WI": "wi", "YU": "ju", "EU": "1", "YI": "1i", "I": "i",
    "KIYEOK": "k", "NIEUN": "n", "TIKEUT": "t", "RIEUL": "l", "MIEUM": "m", "PIEUP": "p", "SIOS": "s", "IEUNG": "N", "CIEUC": "tS",
    "CHIEUCH": "tS", "KHIEUKH": "k", "THIEUTH": "t", "PHIEUPH": "p", "HIEUH": "h",
}  # fmt: skip
"""The letters of Hangul by the last word of their Unicode names, without "SSANG"."""

SEMITIC = {
    "ALEF": "a", "WAW": "u", "YEH": "i", "VAV": "o", "YOD": "i", "SHEEN": "S", "SHIN": "S", "SAD": "s", "SAMEKH": "s", "TSADI": "ts",
    "THAL": "D", "KHAH": "x", "HAH": "h", "HEH": "h", "HE": "h", "AIN": "", "AYIN": "a", "QAF": "k", "QOF": "k", "PE": "p", "JEEM": "dZ",
    "HAMZA": "", "GHAIN": "g", "THEH": "T", "TEH": "t", "TAH": "t", "ZAH": "z", "HET": "x", "CHIRIK": "i",
}  # fmt: skip
"""Arabic and Hebrew letters by a word of their Unicode names, where its first letter does not say the sound."""
