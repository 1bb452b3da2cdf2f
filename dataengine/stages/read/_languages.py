"""Which language a source file is in, told from its name. A table of our own making."""

from __future__ import annotations

_BY_LANGUAGE = {
    "ada": ".adb .ads", "agda": ".agda", "assembly": ".asm .s .nasm", "awk": ".awk", "c": ".c .h", "c#": ".cs .csx",
    "c++": ".cc .cpp .cxx .c++ .hh .hpp .hxx .h++ .ipp .tpp .inl", "clojure": ".clj .cljs .cljc .edn",
    "cmake": ".cmake", "cobol": ".cob .cbl", "coffeescript": ".coffee", "common lisp": ".lisp .lsp .cl",
    "coq": ".coq", "crystal": ".cr", "css": ".css .scss .sass .less", "cuda": ".cu .cuh",
    "cython": ".pyx .pxd .pxi", "d": ".d", "dart": ".dart", "elixir": ".ex .exs", "elm": ".elm",
    "emacs lisp": ".el", "erlang": ".erl .hrl", "f#": ".fs .fsi .fsx",
    "fortran": ".f .f77 .f90 .f95 .f03 .f08 .for", "glsl": ".glsl .vert .frag .comp", "go": ".go",
    "graphql": ".graphql .gql", "groovy": ".groovy .gradle", "haskell": ".hs .lhs", "idris": ".idr",
    "java": ".java", "javascript": ".js .mjs .cjs .jsx", "julia": ".jl", "kotlin": ".kt .kts",
    "latex": ".tex .sty .cls", "lean": ".lean", "lua": ".lua", "makefile": ".mk .mak", "matlab": ".m",
    "nim": ".nim .nims", "nix": ".nix", "objective-c": ".mm", "ocaml": ".ml .mli", "pascal": ".pas .pp .dpr",
    "perl": ".pl .pm .t", "php": ".php .phtml", "powershell": ".ps1 .psm1 .psd1", "prolog": ".pro .prolog",
    "protobuf": ".proto", "python": ".py .pyi .pyw", "r": ".r", "racket": ".rkt", "ruby": ".rb .rake .gemspec",
    "rust": ".rs", "scala": ".scala .sc", "scheme": ".scm .ss .sld", "shell": ".sh .bash .zsh .ksh .fish",
    "solidity": ".sol", "sql": ".sql", "standard ml": ".sml .sig", "svelte": ".svelte", "swift": ".swift",
    "tcl": ".tcl", "terraform": ".tf .hcl", "thrift": ".thrift", "typescript": ".ts .tsx .mts .cts",
    "verilog": ".v .vh .sv .svh", "vhdl": ".vhd .vhdl", "vim script": ".vim", "visual basic": ".vb .bas",
    "vue": ".vue", "webassembly": ".wat", "zig": ".zig",
}
_BY_NAME = {
    "makefile": "makefile", "gnumakefile": "makefile", "dockerfile": "dockerfile", "cmakelists.txt": "cmake",
    "rakefile": "ruby", "gemfile": "ruby", "build.bazel": "starlark", "jenkinsfile": "groovy", "vagrantfile": "ruby",
}
_BY_SUFFIX = {suffix: language for language, suffixes in _BY_LANGUAGE.items() for suffix in suffixes.split()}

LANGUAGES = frozenset(_BY_LANGUAGE) | frozenset(_BY_NAME.values())
SUFFIXES = tuple(sorted(_BY_SUFFIX))
NAMES = tuple(sorted(_BY_NAME))
"""Whole file names that tell a language, lower case."""


def language_of(path: str) -> str | None:
    """``python`` for ``src/a.PY``; None for what is no source file we know."""
    name = path.rsplit("/", 1)[-1].lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    stem, dot, suffix = name.rpartition(".")
    return _BY_SUFFIX.get("." + suffix) if dot and stem else None
