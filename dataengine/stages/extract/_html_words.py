"""Words of class names, roles and texts that tell content from clutter, in groups: the bits of `kernels.word_groups`.

``_`` is a gap: any run of what is no letter, and in class names also the place before a capital.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ATTRIBUTE_GROUPS = {
    "nav": "_nav navigation navbar topbar toolbar masthead",
    "menu": "_menu menu_ submenu mainmenu",
    "breadcrumb": "breadcrumb _crumb ariadne",
    "header": "header _head_ _top_",
    "footer": "footer _foot_ _bottom_ colophon contentinfo",
    "sidebar": "sidebar _side_ _aside _rail complementary _right_ _left_ seitenleiste",
    "share": "share sharing social facebook twitter whatsapp addthis addtoany pinterest linkedin _follow _fb_ sociable",
    "comment": "comment _reply replies disqus _respond reactions discussion kommentar livefyre",
    "related": "related recommend _more_ readmore similar _also_ suggest _next_ _prev outbrain taboola trending "
               "popular latest mostread recirc crosslink see_also mais_lidas lesen weiterlesen further_reading zergnet",
    "teaser": "teaser _card _tile headlines excerpt _promo",
    "ad": "_ad_ _ads_ advert sponsor _dfp _gpt_ adsense banner werbung anzeige publicidad _adv_ adslot _adbox",
    "newsletter": "newsletter subscri signup sign_up mailing optin mailchimp",
    "cookie": "cookie consent gdpr privacy _cmp_ onetrust",
    "popup": "modal popup overlay lightbox _dialog tooltip dropdown _alert notification toast flyout",
    "login": "login signin _user account register paywall premium _member",
    "search": "search suche buscar recherche",
    "author": "author byline _by_ _writer contributor _autor _bio_ biography",
    "date": "_date _time_ publish timestamp datum posted_on updated",
    "meta": "_meta _info_ kicker eyebrow dateline postmeta _stats _byline overline",
    "tags": "_tag_ _tags categor topics keywords taxonomy _term_ tagcloud",
    "caption": "caption credit legend copyright bildunterschrift photographer",
    "media": "image _img photo video player gallery slide carousel media figure thumb picture _audio",
    "widget": "widget module _box_ infobox plugin panel",
    "pagination": "paginat _pager page_numbers pagenav load_more postnav post_nav",
    "tools": "_print _tools action button _btn _icon _link_ _links _options controls",
    "hidden": "hidden _hide screen_reader sr_only visually noprint skip_ collapse invisible assistive",
    "article": "article",
    "post": "_post_ blogpost _posts _post",
    "entry": "_entry hentry",
    "content": "content contenido inhalt conteudo contenu",
    "body": "body",
    "text": "_text _copy_ prose richtext rich_text wysiwyg texte _paragraph markdown _rte_ rtf",
    "story": "story _news blog_ detail",
    "main": "_main primary maincontent",
    "title": "title headline heading titre titulo",
    "lead": "_lead intro summary standfirst _dek_ description abstract subtitle subhead _deck vorspann chapo sumario "
            "sapo",
    "quote": "quote zitat",
    "list": "_list_ _items _grid _feed archive _loop",
    "toc": "_toc_ table_of_contents inhaltsverzeichnis _toc",
    "code": "_code_ highlight syntax language_ prettyprint gist snippet codehilite sourcecode",
    "gutter": "gutter lineno line_number linenum _ln_ rouge_gutter blob_num",
    "product": "product price _shop _cart _buy _store affiliate",
    "forum": "forum thread message question answer topic",
    "note": "footnote references reflist _notes disclaimer correction _note_",
    "embed": "tweet instagram embed _oembed youtube",
    "drop": "mw_editsection mw_jump catlinks navbox noprint mw_indicators printfooter metadata ambox",
    "articlebody": "articlebody article_body article_content post_content entry_content articlecontent post_body "
                   "story_body articletext article_text content_body storycontent body_content text_body storytext "
                   "article_copy body_copy articulo noticia artikel",
    "section": "section _block _row _col container wrapper _inner _region",
}
"""For features; bits 0 to 47."""

CLUTTER_CLASSES = ("mw_editsection sr_only screen_reader_text visually_hidden visuallyhidden linenumber line_number "
                   "linenos lineno _linenum_ gutter")
"""Bit 62: what is never text where it stands in a line, or is a cell."""
MATH_CLASSES = "_tex_ _latex mwe_math _math_ katex_html mathjax"
"""Bit 63: images and spans that hold mathematics."""

TEXT_GROUPS = {
    "share": "_share _tweet_ facebook twitter whatsapp linkedin pinterest _teilen partager compart condivid instagram",
    "subscribe": "newsletter subscri abonn suscr iscriv sign_up_for sign_up inscri _inbox",
    "cookie": "cookie privacy_policy datenschutz terms_of impressum _agb_ terms_and privacidad confidentialit",
    "copyright": "copyright all_rights rights_reserved alle_rechte tous_droits derechos_reserv reproduc _inc_ _ltd_",
    "ad": "advertis anzeige werbung publicidad publicit sponsored _ad_ affiliate _promo",
    "related": "read_more read_also related recommended more_from see_also also_read mehr_zum lesen_sie lire_aussi "
               "a_lire _lea_ _leer_ leggi _leia lees_ook weiterlesen you_may don_t_miss most_read continue_reading "
               "auch_interessant you_might read_next siehe_auch further_reading more_on lesen_auch _read_ find_out "
               "artikel_ligado saiba_mais veja_ lasci zum_thema meistgelesen",
    "more": "_more_ _mehr_ _next_ previous latest trending popular top_stories editor_s_pick _weiter _plus_ _alle_ "
            "view_all see_all show_more load_more",
    "comment": "_comment _reply kommentar commentaire comentario leave_a antworten _responses commenti reacties",
    "photo": "_photo _image_ _foto getty _credit _bild_ _quelle _source _reuters_ _afp_ _dpa_ shutterstock picture "
             "_pic_ courtesy photograph _imago_ _epa_ _istock",
    "author": "_by_ _von_ _par_ _por_ _author autor_ written_by posted_by editor _redaktion reporter correspondent",
    "date": "january february march april june july august september october november december januar februar "
            "_mai_ juni juli oktober dezember janvier vrier _mars_ avril juillet _ao_t septembre octobre novembre "
            "enero febrero marzo abril junio julio agosto septiembre octubre noviembre diciembre _jan_ _feb_ _mar_ "
            "_apr_ _jun_ _jul_ _aug_ _sep_ _oct_ _nov_ _dec_ monday tuesday wednesday thursday friday saturday sunday "
            "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    "updated": "_ago_ published updated last_modified ver_ffentlicht aktualisiert publi_ _min_read minutes posted_on "
               "_uhr_ _utc_ _gmt_ _am_ _pm_ _est_ stand_",
    "tags": "_tags_ categor topics filed_under schlagw etiquet kategorie posted_in themen _tag_ keywords",
    "login": "log_in login sign_in anmelden _register account password einloggen connexion registrieren",
    "contact": "_email contact_us kontakt _tel_ telefon follow_us _fax_ _www_ _http phone e_mail",
    "action": "click_here download _print drucken imprimer _play_ _watch _video_ skip_to jump_to _menu search suche "
              "_home_ back_to zur_ck nach_oben top_of click_to enlarge drucken merken",
    "technical": "javascript browser enable loading please_wait adblock html_ flash",
    "shop": "add_to_cart _price buy_now _usd_ warenkorb in_stock shipping _sale_ _eur_ checkout shop_now amazon",
    "note": "_note_ disclaimer correction this_article this_story this_post originally appeared footnote _about_the",
    "question": "what_do_you let_us_know tell_us your_email will_not_be required_fields your_name",
}
"""For features; bits 0 to 19."""


NAMES = (
    "ad breadcrumb comment cookie footer header menu pagination popup related share sidebar newsletter",
    "article articlebody body content main section",
    "article articlebody body content entry main post text story",
    "ad comment footer hidden media meta related share sidebar tags widget newsletter cookie product",
)
"""Groups, as `kernels.reading_mode` uses them: unlikely, perhaps, good, bad."""


@cache
def candidate_names() -> np.ndarray:
    """`NAMES` as bits: uint64, shape (4,)."""
    import numpy as np

    place = {name: bit for bit, name in enumerate(ATTRIBUTE_GROUPS)}
    return np.array([sum(1 << place[name] for name in names.split()) for names in NAMES], np.uint64)


@cache
def attribute_automaton() -> tuple[np.ndarray, np.ndarray]:
    """The automaton of `ATTRIBUTE_GROUPS`, `CLUTTER_CLASSES` and `MATH_CLASSES`."""
    from dataengine.kernels.word_groups import automaton

    empty = [""] * (62 - len(ATTRIBUTE_GROUPS))
    return automaton([*ATTRIBUTE_GROUPS.values(), *empty, CLUTTER_CLASSES, MATH_CLASSES])


@cache
def text_automaton() -> tuple[np.ndarray, np.ndarray]:
    """The automaton of `TEXT_GROUPS`."""
    from dataengine.kernels.word_groups import automaton

    return automaton(list(TEXT_GROUPS.values()))
