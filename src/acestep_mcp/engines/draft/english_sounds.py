"""How English letters sound, in X-SAMPA: rules in the order in which they are tried, and the vowels of words that they get wrong."""

from __future__ import annotations

ENGLISH = r"""
igh=aI eigh=eI aigh=eI augh(?=t)=O ough(?=t)=O ough$=oU ould=Ud
air=Er are$=Er aw=O au=O ay=eI ai=eI al(?=k)=O al(?=m$)=A a(?=ll(?:s|en|ing)?$|l[td]|l(?:so|w|re|mo))=O a(?=ture|tious|ther$)=eI a(?=r[aeiouy])=E ar=A a(?=nge)=eI a(?=st[ei])=eI a(?=tion)=eI
(?<=w)a(?=[nst])=A (?<=^w)ar=Or a(?=[bcdfgklmnprstvz]e(?:'?s|d|r|rs|ly|less|ful|n)?$)=eI a(?=[bdgklmnprstvz](?:ing|y|ies|or|ors)$)=eI a(?=bl?e)=eI
(?<=^[a-z])a$=A ah+=A a$=@ a={
eau=ju ear(?=[nlt]|ch)=3 ear=Ir ea(?=d$|lth|ther|ven|sure|nt|su)=E ea=i eer=Ir ee=i ew=u ei=i ey(?=s?$)=i ey=eI eo(?=pl)=i ere$=Ir e(?=r[aeiouyr])=E er=3
e(?=[bcdfgklmnpstvz]e$)=i (?<=^[bmwhr])e(?=$|')=i (?<=^sh)e(?=$|')=i (?<=^[brd])e(?=[bcfghlmnptv][aeiou]|tr|pl)=i e$= (?<=[^td])e(?=d$)= (?<=[a-z][a-z])e(?=n$)=@ e=E
i(?=gn$)=aI i(?=ld$|nd$|nds$|nding$)=aI ie(?=[ld])=i (?<=^[a-z])ie$=aI ie$=i (?<=^[a-z])ies$=aIz (?<=^[a-z][a-z])ies$=aIz ies$=iz ie=i i(?=re)=aI ir=3 ious=i@s i(?=[ao])=i
i(?=[bcdfgklmnpstvz]e(?:'?s|d|r|rs|ly|less|ful|n)?$)=aI i(?=[dklmnptvz]ing$)=aI ^i(?=$|')=aI i$=i i=I
oa=oU oo(?=k)=U oor=Or oo+h*=u oh+=oU our=Or ous$=@s ou=aU ow(?=n$|d$|er)=aU ow=oU oy=OI oi=OI oe=oU o(?=l[dt]|ll$|lls$|st$)=oU (?<=^w)or(?=[dklms])=3 or=Or o(?=ther)=V o(?=tion|cean|cial|ri)=oU
o(?=[bcdfgklmnprstvz]e(?:'?s|d|r|rs|ly|less|ful|n|ns)?$)=oU o(?=[bdgklmnpstvz](?:ing|y|ies|ed)$)=oU o$=oU (?<=[a-z][a-z])o(?=[nm]$)=@ o=A
^uni=junI ui=u ue=u ure$=3 ur=3 u(?=[bcdfgklmnprstvz][aeiou])=u (?<=^[a-z])u$=u u(?=lls?$)=U (?<=[qg])u(?=[aeiou])=w uh+=V u=V
^y=j (?<=^[^aeiou])y$=aI (?<=^[^aeiou][^aeiou])y$=aI (?<=^[^aeiou][^aeiou][^aeiou])y$=aI y(?=[a-z](?:es?|ed|ing)$)=aI ye$=aI y(?=ing$)=i y$=i y=I
tch=tS ch=tS ck=k ci(?=ou|al)=S c(?=[eiy])=s dge=dZ ght=t ^gn=n gn$=n gh(?=[a-z])=g gh$= ge(?=$|s$|d$)=dZ g(?=y|ia)=dZ j=dZ ^kn=n mb$=m
ng(?=$|s$|ing|er)=N n(?=[kg])=N ph=f qu=kw sh=S ssion=S@n sion=Z@n (?<=[aeioulmnrdgbvwy])s$=z tion=S@n ture=tS3 (?<=[^aeiouylr])le$=@l
^th(?=e|is|at|ere|ose|ough|us|an)=D th(?=er|e$|ing$)=D th=T wh=w ^wr=r c=k
0=oU 1=V 2=u 3=i 4=O 5=aI 6=I 7=E 8=eI 9=aI
"""
"""A final e, and that of "-ed", are silent unless the word would have too few syllables."""

_WORDS = {
    "@": "the",
    "V": "sons of love loves loved come comes some done one ones none son won front month tongue blood flood does was what from gloves dove "
         "rough tough enough young touch once",
    "u": "groups to do who you two through move moves lose prove whose soup group youth",
    "U": "hood put bush push foot good wood stood wolf",
    "I": "give gives live lives been build built wind",
    "E": "guess fred led death breath friend friends said says again bread where there their them wear bear care share hair dreamt",
    "A": "john are heart hearts watch want wash guard",
    "aI": "hi iron eye eyes buy bye die lie tie tried cried guide guy height lied died",
    "aU": "now how cow vow wow hour our allow",
    "O": "lost cost cross off soft song strong long wrong gone dog war warm four your door floor more bought sauce",
    "oU": "folk own grown known shown blown though both don't won't soul roll",
    "3": "were word words world work her heard earth worth",
    "eI": "hey they breaks great break steak eight",
    "i": "people",
    "@.V": "above among enough",
    "V.3": "comfort other brother mother cover color wonder under summer hunger thunder number",
    "@.V.3": "another",
    "V.I": "nothing something loving coming",
    "V.i": "money honey country",
    "E.3": "never ever better weather whether together clever",
    "E.i": "every very ready heavy any many",
    "I.3": "river silver winter sister bitter dinner mirror",
    "I.i": "city pretty busy",
    "I.I": "building english",
    "A.i": "body copy",
    "A.3": "father",
    "O.3": "water daughter",
    "oU.3": "over lower slower",
    "oU.oU": "solo",
    "oU.@": "focus open ocean broken moment frozen golden chosen",
    "u.i": "movie",
    "oU.i": "only lonely slowly holy",
    "eI.i": "maybe baby lady crazy",
    "aU.3": "power flower tower shower",
    "@.eI": "away okay",
    "u.eI": "today",
    "@.aI": "alive",
    "i.aI": "behind beside desire",
    "I.aI": "inside",
    "aU.aI": "outside",
    "i.i": "believe between beneath",
    "i.V": "because become",
    "i.O": "before",
    "E.oU": "yellow hello",
    "A.oU": "follow borrow hollow",
    "{": "yeah have has had",
    "{.I": "having",
    "{.i": "married harry marry carry",
    "i.@": "even",
    "i.I": "evening being",
    "aI.eI": "friday",
    "V.eI": "monday sunday",
    "u.@": "human",
    "V.@": "trouble double london cousin hundred",
    "@.oU": "alone ago control",
    "I.@": "england given driven women listen vision prison little middle",
    "A.eI": "heartbreak",
    "A.oU.@": "heartbroken",
    "aI.i.@": "idea",
    "u.aI": "tonight july",
    "@.i": "machine police",
    "oU.@.i": "nobody",
    "E.i.A.i": "everybody anybody",
    "V.@.i": "somebody",
    "E.i.E": "anywhere everywhere",
    "A.@": "mama papa drama",
    "{.oU": "shadow",
    "I.oU": "window willow",
    "u.A.oU": "tomorrow",
    "u.E.3": "together",
    "O.E.3": "forever",
    "@.O": "along across",
    "@.aU": "around about",
    "E.3.i": "memory",
    "i.E.3": "remember december september november",
    "A.I": "darling",
    "aI.@": "quiet silent silence lion science",
    "U.aI": "goodbye goodnight",
    "E.i.V": "everyone anyone",
    "E.i.I": "everything anything",
    "V.V": "someone",
    "V.E": "somewhere",
    "V.aI": "sometimes",
    "oU.E": "nowhere",
    "V.@.aI": "lullaby",
    "i.eI.I": "created",
    "u.I.@": "beautiful",
    "u.I": "music moving losing proving loses",
}  # fmt: skip
ENGLISH_VOWELS = {
    word: tuple(vowels.strip(".").split(".")) for vowels, words in _WORDS.items() for word in words.split()
}
