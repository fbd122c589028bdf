"""Rhythm patterns for basses on a grid of sixteenth notes, as data.

Bass steps: `r` root, `R` the root an octave up, `t` third,
`f` fifth, `F` the fifth below, `s` seventh (or octave), `a` a step towards the next root, `-` hold, `.` silence.
The second row is for three beats. `metres.bar_rows` makes those of other metres from them.
"""

from __future__ import annotations

BASSES: dict[str, tuple[str, str]] = {
    "root five": ("r-------f-------|r-------F-----a-", "r-------f---|r-----------"),
    "eighths": ("r-r-r-r-r-r-r-r-|r-r-r-r-r-r-f-a-", "r-r-r-r-r-r-"),
    "moving": ("r-r-r-r-f-f-t-a-|r-r-R-r-f-r-s-a-", "r-r-f-f-t-a-"),
    "octaves": ("r-R-r-R-r-R-r-R-|r-R-r-R-r-R-f-R-", "r-R-r-R-r-R-"),
    "offbeats": ("..r-..r-..r-..r-|..r-..rr..r-..R-", "..r-..r-..r-"),
    "sixteenths": (".rrr.rrr.rrr.rrr|.rrR.rrr.rRr.rrr", ".rrr.rrr.rrr"),
    "walking": ("r---t---f---a---|r---f---s---a---|r---t---f-R-a---|R---s---f---a---|R---f---t---a---", "r---t---a---"),
    "lazy": ("r-----r-....f-a-|r-------..r-a---|r---..r-f-----..", "r-----r-f---"),
    "hop": ("r--r..r-..r-f-..|r-----rr..f-s-a-|r--...r-R-..f-a-", "r--r..r-f-a-"),
    "sub": ("r-------------..|r-----..r---....|r----.r-....r-a-", "r---------..|r-----r-...."),
    "slap": ("r..r..R.r..rf.s.|r.R...rr..R.s.a.|r..R.r..f..R.rs.", "r..r..R.f.a."),
    "pedal": ("r---------------|r-------f-------", "r-----------"),
    "pulse": ("r---r---r---r---|r-rrr-rrr-rrr-rr", "r---r---r---"),
    "gallop": ("r-rrr-rrr-rrr-rr|r-rrr-rrr-r-f-a-", "r-rrr-rrr-rr"),
    "bossa": ("r-----f-f-----r-|r-----f-F-----a-", "r-----f-f-a-"),
    "tresillo": ("r--r--r-r--r--f-|r-----r-..r-f-..", "r--r--r-r--."),
    "tumbao": ("......f-....R---|..r...f-....R-a-", "....f---R---"),
    "dub": ("r---..r-r-f-....|r-....r-t-r-f-..|....r-r-..f-r-..", "r---..r-f-.."),
    "wobble": ("r-----r-r-rrr-r-|r-------r-r-rrrr", "r-----r-r-r-"),
    "slide": ("r-----r-..R-r---|r--r----..R---f-", "r-----R-r---"),
    "stabs": ("r.r...r...r..r..|r..r..r.....R.r.", "r.r...r..r.."),
    "garage": ("r--..r-.r..R-..f|r-..R-..r--..f-a", "r--..r-.R-f-"),
    "reverse": ("..rr..rr..rr..rr|.rrr.rrr.rrr.rrr", "..rr..rr..rr"),
    "bachata": ("r-----r-r---f---|r---..r-r---f-a-", "r-----r-f---"),
    "soca": ("r..r..r.r..r..f.|r..r..R.r..r..R.", "r..r..r.f.R."),
    "oompah": ("r---f---r---f---|r---f---r---F-a-", "r---f---f---"),
    "bounce": ("r...f...r...f.a.|r.r.f.f.r.r.t.a.", "r...f...t.a."),
    "dhol": ("r-..r-..r-..r-R-|r-..R-..r-..f-R-", "r-..r-..R-.."),
    "waltz": ("r-------f-------", "r-----------|r---........|f---........"),
}
