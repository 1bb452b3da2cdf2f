"""Names and things for stories."""

from __future__ import annotations

NAMES = (
    "Ada", "Amir", "Anna", "Aiko", "Ben", "Bruno", "Carla", "Chen", "Cleo", "Dana", "Diego", "Elif", "Emil", "Esra",
    "Farah",
    "Femi", "Gita", "Greta", "Hana", "Hugo", "Ida", "Igor", "Imani", "Ines", "Ivan", "Jana", "Jonas", "Juan", "Kai",
    "Kofi",
    "Lena", "Leo", "Lin", "Luca", "Mara", "Marco", "Mei", "Milan", "Mina", "Nadia", "Nils", "Noor", "Olga", "Omar",
    "Oskar",
    "Paula", "Pedro", "Petra", "Quinn", "Rafa", "Rosa", "Sami", "Sara", "Sven", "Tariq", "Tess", "Tomas", "Uma", "Vera",
    "Viktor", "Wanda", "Xavi", "Yara", "Yusuf", "Zoe", "Zora",
)
THINGS = (
    "apples", "badges", "balloons", "beads", "bolts", "books", "bottles", "bricks", "buttons", "candles", "cards",
    "carrots",
    "coins", "cookies", "crayons", "cups", "eggs", "envelopes", "feathers", "figs", "flags", "flowers", "lamps",
    "leaflets",
    "lemons", "magnets", "marbles", "medals", "muffins", "nails", "notebooks", "nuts", "olives", "onions", "oranges",
    "peaches",
    "pears", "pebbles", "pencils", "photos", "plums", "postcards", "potatoes", "ribbons", "rings", "rolls", "screws",
    "seeds",
    "shells", "spoons", "stamps", "stickers", "tickets", "tiles", "tomatoes", "toys", "tulips", "walnuts", "yo-yos",
    "zippers",
)
GOODS = (
    "apron", "atlas", "backpack", "basket", "belt", "blanket", "book", "bowl", "broom", "brush", "calendar",
    "camera", "cap",
    "clock", "comb", "compass", "cushion", "drum", "fan", "flask", "flute", "fork", "frame", "glove", "hammer",
    "hat", "kettle",
    "kite", "knife", "ladder", "lamp", "map", "mirror", "mug", "notebook", "pan", "pen", "pillow", "plant", "plate",
    "pot",
    "puzzle", "radio", "ruler", "scarf", "shirt", "shovel", "sieve", "spoon", "stool", "tent", "torch", "towel",
    "tray", "vase",
    "whistle",
)
PACKS = ("bags", "baskets", "boxes", "bundles", "cartons", "cases", "crates", "jars", "packets", "rows", "sacks",
         "trays")
PLACES = (
    "at the market", "at school", "at the harbour", "in the garden", "in the attic", "in the library", "at the fair",
    "at home",
    "in the workshop", "at the station", "in the village", "on the farm", "in the shop", "at the museum", "in the park",
    "at the beach", "in the kitchen", "at the festival", "in the square", "by the river",
)
TIMES = (
    "On Monday", "On Tuesday", "On Wednesday", "On Thursday", "On Friday", "In the morning", "At noon", "After lunch",
    "In the evening", "Later", "The next day", "A week later", "Soon after", "Then", "Before supper", "The day after",
)
VEHICLES = ("train", "bus", "truck", "van", "ferry", "cyclist", "tram", "car", "coach", "motorboat", "tractor",
            "courier")
PRODUCTS = (
    "axles", "bearings", "brackets", "bulbs", "cables", "chairs", "clips", "fans", "filters", "frames", "gears",
    "handles",
    "hinges", "hooks", "keys", "lenses", "locks", "mats", "motors", "pedals", "pipes", "plugs", "pumps", "rods",
    "sensors",
    "sockets", "springs", "switches", "valves", "wheels",
)
