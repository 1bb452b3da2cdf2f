"""Stories about quantities, of several steps: a stock that grows and shrinks, a bill, a journey, shares, a workshop.

`make` chooses the answer or the parts of the story and tells it forwards; `solve` reads the sentences alone: it
follows a stock event by event, pays a bill in cents, goes a journey hour by hour, finds a share by trying. Level n: a
stock has n + 1 events, a bill, a journey or a group about 2 + n / 2 members.
"""

from __future__ import annotations

import re
from fractions import Fraction

from dataengine.stages.make._families.draws import Draws
from dataengine.stages.make._families.item import Item
from dataengine.stages.make._families.words import GOODS, NAMES, PACKS, PLACES, PRODUCTS, THINGS, TIMES, VEHICLES

PARTS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth", 8: "an eighth", 10: "a tenth"}


def make(draws: Draws, level: int) -> Item:
    return draws.pick((_stock, _stock, _bill, _journey, _shares, _workshop))(draws, level)


def solve(problem: str) -> str | None:
    """The answer to a story, from its text alone."""
    for words, solver in SOLVERS:
        if words in problem:
            return solver(problem)
    return None


# --- a stock that grows and shrinks -----------------------------------------------------------------------------------

GAIN = ("buys {n} more {t}", "finds {n} {t}", "receives {n} {t} from {o}", "collects another {n} {t}", "wins {n} {t}",
        "unpacks {n} further {t}")
LOSE = ("sells {n} {t}", "loses {n} of the {t}", "hands {n} {t} to {o}", "donates {n} {t}", "uses up {n} {t}",
        "sends {o} {n} {t}")
GAIN_PACKS = ("buys {k} {p} of {n} {t} each", "receives {k} {p} from {o}, each with {n} {t}",
              "collects {k} {p} with {n} {t} in each")
LOSE_PACKS = ("sells {k} {p} of {n} {t} each", "hands {o} {k} {p} with {n} {t} in each",
              "sends off {k} {p} of {n} {t} each")
LOSE_PART = ("sells {f} of the {t}", "donates {f} of all {t}", "hands {f} of the {t} to {o}", "loses {f} of the {t}")
DOUBLE = ("doubles the number of {t}", "doubles the whole stock of {t}")
BEGIN = ("{w} starts with {n} {t} {l}.", "{w} has {n} {t} {l}.", "There are {n} {t} {l}, all of them {w}'s.",
         "{w} counts {n} {t} {l}.", "{w} keeps {n} {t} {l}.")
ASK_STOCK = ("How many {t} does {w} have in the end?", "How many {t} remain with {w}?",
             "What is {w}'s final number of {t}?",
             "With how many {t} does {w} end up?")


def _stock(draws: Draws, level: int) -> Item:
    """Built from the answer backwards: every event is undone, so that parts always come out whole."""
    who, other = draws.several(NAMES, 2)
    things, pack = draws.pick(THINGS), draws.pick(PACKS)
    size = (30, 60, 150, 400, 900)[min(level, 5) - 1]
    now = answer = draws.between(6, size)
    events: list[tuple[str, str]] = []
    for _ in range(level + 1):
        now, clause, work = _undo(draws, now, size)
        events.append((clause.format(n="{n}", t=things, o=other, p=pack), work))
    events.reverse()
    place = draws.pick(PLACES)
    sentences = [draws.pick(BEGIN).format(w=who, n=now, t=things, l=place)]
    style = draws.below(3)
    steps = [(f"At first there are {now} {things}.", f"{who} begins with {now}.", f"Start from {now} {things}.")[style]]
    for clause, work in events:
        sentences.append(f"{draws.pick(TIMES)} {who} {clause}.")
        told = f"{who} {clause}"
        steps.append((f"{told}: {work}.", f"{work}, since {told}.", f"When {told}, {work}.")[style])
    sentences.append(draws.pick(ASK_STOCK).format(t=things, w=who))
    left = f"{answer} {things}"
    steps.append((f"{who} has {left} in the end.", f"That leaves {left}.", f"{left} remain.")[style])
    return Item(" ".join(sentences), steps, str(answer))


def _undo(draws: Draws, after: int, size: int) -> tuple[int, str, str]:
    """(stock before an event, its clause, its equation) for a random event that leaves `after`."""
    kinds = ["gain", "lose", "lose", "gain packs", "lose packs"]
    parts = [d for d in PARTS if after % (d - 1) == 0 and after * d // (d - 1) <= 20 * size]
    kinds += ["part"] * 2 * bool(parts) + ["double"] * (after % 2 == 0)
    kind = draws.pick(kinds)
    n, k, packed = draws.between(2, max(2, size // 2)), draws.between(2, 9), draws.between(3, max(4, size // 8))
    pile = k * packed
    if kind == "part":
        d = draws.pick(parts)
        before = after * d // (d - 1)
        share = before // d
        clause = draws.pick(LOSE_PART).replace("{f}", PARTS[d])
        return before, clause, f"{before} / {d} = {share}, {before} - {share} = {after}"
    if kind == "double":
        return after // 2, draws.pick(DOUBLE), f"2 * {after // 2} = {after}"
    if kind == "gain packs" and pile < after:
        clause = draws.pick(GAIN_PACKS).replace("{k}", str(k)).replace("{n}", str(packed))
        return after - pile, clause, f"{k} * {packed} = {pile}, {after - pile} + {pile} = {after}"
    if kind == "lose packs":
        clause = draws.pick(LOSE_PACKS).replace("{k}", str(k)).replace("{n}", str(packed))
        return after + pile, clause, f"{k} * {packed} = {pile}, {after + pile} - {pile} = {after}"
    if kind == "gain" and n < after:
        return after - n, draws.pick(GAIN).replace("{n}", str(n)), f"{after - n} + {n} = {after}"
    return after + n, draws.pick(LOSE).replace("{n}", str(n)), f"{after + n} - {n} = {after}"


MORE = re.compile(r"\b(?:buys|finds|receives|collects|wins|unpacks)\b")
LESS = re.compile(r"\b(?:sells|loses|hands|donates|uses|sends)\b")
SHARE_WORDS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
SHARE = re.compile(rf"\b({'|'.join(SHARE_WORDS)})\b")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def _solve_stock(problem: str) -> str | None:
    first, *events, _ = problem.split(". ")
    stock = int(NUMBER.findall(first)[0])
    for event in events:
        numbers, share = [int(n) for n in NUMBER.findall(event)], SHARE.search(event)
        if "doubles" in event:
            stock += stock
        elif share:
            stock -= stock // SHARE_WORDS[share[1]]
        else:
            amount = 1
            for n in numbers:
                amount *= n
            if bool(MORE.search(event)) == bool(LESS.search(event)) or not numbers:
                return None
            stock += amount if MORE.search(event) else -amount
    return str(stock)


# --- a bill -----------------------------------------------------------------------------------------------------------

OPEN_BILL = ("{w} goes shopping {l} and takes {g}.", "{w} shops {l}: {g}.", "{g} are what {w} takes {l}.",
             "{w} picks out {g} {l}.")
COUPON = ("A coupon takes {p}% off the bill.", "The shop gives {p}% off everything.", "Today there is {p}% off.")
FEE = ("Delivery is ${c} on top.", "Wrapping costs ${c} more.", "A bag adds ${c}.")
ASK_BILL = ("What is the change from ${n}?", "{w} pays with ${n}. What is the change?",
            "How much change does {w} get from ${n}?")


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}" if cents % 100 else str(cents // 100)


def _bill(draws: Draws, level: int) -> Item:
    who, style = draws.pick(NAMES), draws.below(3)
    unit = (100, 100, 50, 10, 5)[min(level, 5) - 1]
    lines = [(draws.between(2, 4 + 2 * level), good, unit * draws.between(2, 20 * 100 // unit))
             for good in draws.several(GOODS, 2 + level // 2)]
    goods = ", ".join(f"{n} {good}s at ${_money(price)} each" for n, good, price in lines)
    total, steps = 0, []
    for n, good, price in lines:
        steps.append((f"The {good}s: {n} * {_money(price)} = {_money(n * price)}.",
                      f"{n} {good}s cost {n} * {_money(price)} = {_money(n * price)}.",
                      f"{n} * {_money(price)} = {_money(n * price)} for the {good}s.")[style])
        total += n * price
    sums = " + ".join(_money(n * price) for n, _, price in lines)
    steps.append((f"All together: {sums} = {_money(total)}.", f"The sum is {sums} = {_money(total)}.",
                  f"Adding up, {sums} = {_money(total)}.")[style])
    sentences = [draws.pick(OPEN_BILL).format(w=who, l=draws.pick(PLACES), g=goods)]
    percents = [p for p in (5, 10, 15, 20, 25, 30, 40, 50) if total * p % 100 == 0]
    if level > 1 and percents and draws.below(3):
        p = draws.pick(percents)
        off = total * p // 100
        sentences.append(draws.pick(COUPON).format(p=p))
        before, saved, after = _money(total), _money(off), _money(total - off)
        steps.append(f"{p}% off is {before} * {p} / 100 = {saved}, {before} - {saved} = {after}.")
        total -= off
    if level > 2 and draws.below(2):
        fee = unit * draws.between(1, 9 * 100 // unit)
        sentences.append(draws.pick(FEE).format(c=_money(fee)))
        steps.append(f"With the extra {_money(total)} + {_money(fee)} = {_money(total + fee)}.")
        total += fee
    paid = (total // 1000 + draws.between(1, 3)) * 1000
    sentences.append(draws.pick(ASK_BILL).format(w=who, n=paid // 100))
    change = _money(paid - total)
    claim = f"{paid // 100} - {_money(total)} = {change}"
    steps.append((f"Change: {claim}.", f"What comes back is {claim}.", f"{claim} is the change.")[style])
    return Item(" ".join(sentences), steps, change)


LINE = re.compile(r"(\d+) \w+ at \$(\d+(?:\.\d\d)?) each")
EXTRA = re.compile(r"(?:Delivery is|Wrapping costs|adds) \$(\d+(?:\.\d\d)?)")
PAID = re.compile(r"(?:from|with) \$(\d+)")


def _cents(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part or 0)


def _solve_bill(problem: str) -> str | None:
    owed = Fraction(sum(int(n) * _cents(price) for n, price in LINE.findall(problem)))
    coupon, extra, paid = re.search(r"(\d+)% off", problem), EXTRA.search(problem), PAID.search(problem)
    if not paid:
        return None
    owed = owed * (1 - Fraction(int(coupon[1]), 100)) if coupon else owed
    left = Fraction(_cents(paid[1])) - owed - (_cents(extra[1]) if extra else 0)
    return _money(int(left)) if left.denominator == 1 and left >= 0 else None


# --- a journey --------------------------------------------------------------------------------------------------------

LEG = ("{h} hours at {v} km/h", "{h} hours with {v} km/h", "{h} hours, covering {v} km in each")
OPEN_TRIP = ("A {c} leaves {a} for {b}'s town:", "The {c} of {a} and {b} is on the road:", "{a} follows a {c} to {b}:",
             "{a} and {b} take a {c}:")
ASK_FAR = ("How many km is the whole way?", "What distance in km is covered?", "How many km does the {c} cover?")
ASK_MEAN = ("What is the average speed in km/h?", "At what average speed in km/h does the {c} travel?")


def _journey(draws: Draws, level: int) -> Item:
    (a, b), vehicle, style = draws.several(NAMES, 2), draws.pick(VEHICLES), draws.below(3)
    legs = [(draws.between(2, 5 + level), draws.between(11, 40 + 15 * level)) for _ in range(2 + level // 2)]
    joined = ", then ".join(draws.pick(LEG).format(h=h, v=v) for h, v in legs)
    distance, hours = sum(h * v for h, v in legs), sum(h for h, _ in legs)
    steps = [(f"Leg {'ABCDEFG'[i]}: {h} * {v} = {h * v} km.", f"{h} hours of {v} km make {h} * {v} = {h * v} km.",
              f"{h} * {v} = {h * v} km in part {'ABCDEFG'[i]}.")[style] for i, (h, v) in enumerate(legs)]
    steps.append(f"{('Distance', 'All km', 'The way')[style]}: {' + '.join(str(h * v) for h, v in legs)} = {distance}.")
    ask, answer = ASK_FAR, Fraction(distance)
    if level > 1 and draws.below(2):
        ask, answer = ASK_MEAN, Fraction(distance, hours)
        steps.append(f"{('Time', 'All hours', 'Hours')[style]}: {' + '.join(str(h) for h, _ in legs)} = {hours}.")
        shown = "" if f"{distance}/{hours}" == str(answer) else f" = {answer}"
        steps.append(f"{('Average', 'Speed', 'Km per hour')[style]}: {distance}/{hours}{shown}"
                     + ("." if shown else f", already in lowest terms, {distance} / {hours} = {answer}."))
    problem = f"{draws.pick(OPEN_TRIP).format(c=vehicle, a=a, b=b)} {joined}. {draws.pick(ask).format(c=vehicle)}"
    return Item(problem, steps, str(answer))


LEGS = re.compile(r"(\d+) hours\D+(\d+) km")


def _solve_journey(problem: str) -> str | None:
    """Hour by hour: the distance is the sum of what each single hour covers."""
    each = [int(v) for h, v in LEGS.findall(problem) for _ in range(int(h))]
    if not each:
        return None
    return str(Fraction(sum(each), len(each))) if "average" in problem else str(sum(each))


# --- shares -----------------------------------------------------------------------------------------------------------

OPEN_SHARES = ("{w} share {n} {t} in the ratio {r}.", "{n} {t} are divided among {w} in the ratio {r}.",
               "{w} split {n} {t}; the ratio is {r}.")
ASK_SHARE = ("How many {t} does {w} get?", "What is {w}'s share?", "How many of the {t} are {w}'s?")
PASS_ON = ("{w} passes {n} of these to {o}.", "Out of that {w} gives {n} to {o}.")


def _shares(draws: Draws, level: int) -> Item:
    names = draws.several(NAMES, 2 + min(level, 4) // 2)
    things, style = draws.pick(THINGS), draws.below(3)
    ratio = [draws.between(1, 4 + level) for _ in names]
    one = draws.between(4, 20 * level)
    total, chosen = one * sum(ratio), draws.below(len(names))
    who = names[chosen]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    sentences = [draws.pick(OPEN_SHARES).format(w=listed, n=total, t=things, r=":".join(map(str, ratio)))]
    share = one * ratio[chosen]
    steps = [
        f"{('Parts', 'The ratio has', 'Add the ratio')[style]}: {' + '.join(map(str, ratio))} = {sum(ratio)}.",
        f"{('One part', 'Each part', 'A part is worth')[style]}: {total} / {sum(ratio)} = {one} {things}.",
        (f"{who}: {ratio[chosen]} * {one} = {share}.", f"{who} gets {ratio[chosen]} * {one} = {share} {things}.",
         f"{ratio[chosen]} * {one} = {share} for {who}.")[style],
    ]
    if level > 2 and share > 3:
        given, other = draws.between(1, share - 1), names[chosen - 1]
        sentences.append(draws.pick(PASS_ON).format(w=who, n=given, o=other))
        steps.append(f"{who} then keeps {share} - {given} = {share - given}.")
        share -= given
        sentences.append(f"How many {things} does {who} keep?")
    else:
        sentences.append(draws.pick(ASK_SHARE).format(t=things, w=who))
    return Item(" ".join(sentences), steps, str(share))


def _solve_shares(problem: str) -> str | None:
    """By trying: the value of a part for which all parts together make the total."""
    total = int(NUMBER.findall(problem)[0])
    ratio = [int(n) for n in re.search(r"ratio (?:is )?([\d:]+\d)", problem)[1].split(":")]
    people = [name for name in re.findall(r"\b[A-Z]\w+", problem.split(".")[0]) if name in NAMES]
    asked = [name for name in re.findall(r"[A-Z]\w+", problem.rsplit(". ", 1)[1]) if name in NAMES]
    if len(people) != len(ratio) or len(asked) != 1:
        return None
    one = next((k for k in range(1, total + 1) if sum(k * r for r in ratio) >= total), 0)
    given = re.search(r"(?:passes|gives) (\d+)", problem)
    share = sum([one] * ratio[people.index(asked[0])]) - (int(given[1]) if given else 0)
    return str(share) if one * sum(ratio) == total else None


# --- a workshop -------------------------------------------------------------------------------------------------------

OPEN_WORK = ("In {w}'s workshop {m} machines make {r} {t} an hour each.",
             "{w} runs {m} machines; each turns out {r} {t} an hour.",
             "{m} machines of {w}'s produce {r} {t} an hour apiece.")
RUN = ("They run {h} hours a day for {d} days.", "The machines work {h} hours a day, {d} days long.",
       "This goes on for {h} hours a day over {d} days.")
FAULTY = ("{f} {t} are faulty and thrown away.", "Inspection rejects {f} {t}.", "Of all these, {f} {t} break.")
ASK_WORK = ("How many good {t} are there?", "How many {t} can be sold?", "What number of {t} is fit for sale?")
ASK_BOXES = ("A box holds {s} {t}. How many boxes can be filled?",
             "With {s} {t} to a box, how many full boxes are there?")


def _workshop(draws: Draws, level: int) -> Item:
    who, things, style = draws.pick(NAMES), draws.pick(PRODUCTS), draws.below(3)
    machines, rate = draws.between(2, 5 + 2 * level), draws.between(3, 10 + 12 * level)
    hours, days = draws.between(3, 12), draws.between(2, 4 + 2 * level)
    hourly, daily = machines * rate, machines * rate * hours
    made = daily * days
    faulty = draws.between(1, made // 4)
    sentences = [
        draws.pick(OPEN_WORK).format(w=who, m=machines, r=rate, t=things),
        draws.pick(RUN).format(h=hours, d=days),
        draws.pick(FAULTY).format(f=faulty, t=things),
    ]
    good = made - faulty
    steps = [
        f"{('Per hour', 'An hour gives', 'Hourly output')[style]}: {machines} * {rate} = {hourly} {things}.",
        f"{('Per day', 'A day gives', 'Daily output')[style]}: {hourly} * {hours} = {daily}.",
        f"{('Over', 'All', 'During')[style]} {days} days: {daily} * {days} = {made}.",
        f"{('Good ones', 'Without the bad', 'Less the rejects')[style]}: {made} - {faulty} = {good}.",
    ]
    answer = good
    if level > 1 and draws.below(2):
        size = draws.between(3, 8 + 8 * level)
        answer = good // size
        sentences.append(draws.pick(ASK_BOXES).format(s=size, t=things))
        steps.append(f"{answer} boxes of {size} take {answer} * {size} = {answer * size}, "
                     f"{good} - {answer * size} = {good - answer * size} left, too few for another box.")
    else:
        sentences.append(draws.pick(ASK_WORK).format(t=things))
    return Item(" ".join(sentences), steps, str(answer))


def _solve_workshop(problem: str) -> str | None:
    """Numbers by their place in the story; boxes are filled one by one."""
    numbers = [int(n) for n in NUMBER.findall(problem)]
    if len(numbers) not in (5, 6):
        return None
    machines, rate, hours, days, faulty, *box = numbers
    good = sum(sum([rate] * machines) for _ in range(hours * days)) - faulty
    if not box:
        return str(good)
    return str(sum(1 for _ in range(box[0], good + 1, box[0])))


SOLVERS = (
    ("machines", _solve_workshop), (" ratio ", _solve_shares), (" km", _solve_journey), ("change", _solve_bill),
    ("How many", _solve_stock), ("final number", _solve_stock), ("end up", _solve_stock),
)
