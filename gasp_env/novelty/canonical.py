"""Canonical code: two programs that differ only in names, comments, annotations and layout are one.

Model code is parsed here, in the trusted process, but only as a syntax tree and only after a scan that bounds its size
and nesting: CPython's parser and tree walkers use the C stack. It is never compiled or run.
"""

import ast
import io
import tokenize
from hashlib import sha256

from gasp_env.values.syntax import tree_of

__all__ = ("MAX_SOURCE", "arity", "canonical_code", "code_hash")

MAX_SOURCE = 64 << 10
MAX_NESTING = 80
MAX_TOKENS = 20_000
MAX_RUN = 400
"""Operators and dots on one logical line: each can deepen the tree by one."""


def canonical_code(program: str) -> str | None:
    """Program text with names replaced in order of appearance; None if it can't be parsed within the bounds."""
    tree = _parse(program)
    if tree is None:
        return None
    _Stripper().visit(tree)
    _Renamer(_own_names(tree)).visit(tree)
    return ast.unparse(tree)


def code_hash(program: str) -> str:
    """Hash of the canonical code; of the text itself where there is none."""
    text = canonical_code(program)
    known = text if text is not None else "raw\0" + program
    return sha256(known.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def arity(program: str, entry: str = "f") -> int | None:
    """Number of positional parameters of the entry function; None if it can't be told."""
    tree = _parse(program)
    for node in tree.body if tree else []:
        if isinstance(node, ast.FunctionDef) and node.name == entry and node.args.vararg is None:
            return len(node.args.posonlyargs) + len(node.args.args)
    return None


def _parse(program: str) -> ast.Module | None:
    if len(program) > MAX_SOURCE or not _shallow(program):
        return None
    return tree_of(program)


def _shallow(program: str) -> bool:
    """True if no bracket, indent or chain of operators nests deeper than the parser can bear."""
    depth = indent = run = count = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(program).readline):
            count += 1
            indent += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
            if token.type == tokenize.NEWLINE:
                run = 0
            if token.type in (tokenize.OP, tokenize.NAME):
                run += token.string not in ",:()[]{}" and (token.type == tokenize.OP or token.string in _KEYWORDS)
                depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
            if depth + indent > MAX_NESTING or run > MAX_RUN or count > MAX_TOKENS:
                return False
    except (tokenize.TokenError, SyntaxError, ValueError):
        return False
    return "{" not in program or program.count("{") <= MAX_RUN


_KEYWORDS = frozenset(("not", "and", "or", "await", "lambda", "if", "else", "for", "in", "is", "elif"))


class _Stripper(ast.NodeTransformer):
    """Removes docstrings and annotations."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Drop what says nothing of the behaviour."""
        node.returns = None
        if len(node.body) > 1 and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Drop the annotation."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Turn ``x: int = 1`` into ``x = 1``."""
        if node.value is None:
            return ast.Pass()
        plain = ast.Assign(targets=[node.target], value=node.value)
        return self.generic_visit(ast.copy_location(plain, node))


class _Renamer(ast.NodeTransformer):
    """Gives the program's own names numbers in order of appearance; builtins, attributes and keywords stay."""

    def __init__(self, own: frozenset[str]) -> None:
        self.own, self.numbers = own, dict[str, str]()

    def _new(self, name: str) -> str:
        return self.numbers.setdefault(name, f"v{len(self.numbers)}") if name in self.own else name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename a use."""
        node.id = self._new(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Rename a parameter."""
        node.arg = self._new(node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Rename a function."""
        node.name = self._new(node.name)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Rename a class."""
        node.name = self._new(node.name)
        return self.generic_visit(node)


def _own_names(tree: ast.Module) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
    return frozenset(names)
