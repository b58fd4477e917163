//! Text into tokens.

use std::ops::Range;

use super::literal;
use super::source::{Place, Problem};

/// One token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) kind: Tok<'t>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tok<'t> {
    /// The magnitude of an integer literal; the parser applies a sign.
    Int(u64),
    Uint(u64),
    Double(f64),
    Str(String),
    Bytes(Vec<u8>),
    Ident(&'t str),
    /// A name in back-ticks, allowed after a dot.
    Quoted(&'t str),
    /// A word that CEL keeps for embedding languages; allowed after a dot.
    Reserved(&'t str),
    True,
    False,
    Null,
    In,
    Symbol(&'static str),
    End,
}

const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Longest first.
const SYMBOLS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "+", "-", "*", "/", "%", "!",
    "<", ">",
];

/// A syntax error.
pub(super) fn syntax(range: Range<usize>, message: impl Into<String>) -> Box<Problem> {
    Box::new(Problem::error("cel-syntax", Place::When(range), message))
}

/// The tokens of `text`, the last one being [`Tok::End`].
pub(super) fn tokenize(text: &str) -> Result<Vec<Token<'_>>, Box<Problem>> {
    let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
    let mut at = 0;
    loop {
        at = skip_blanks(text, at);
        let rest = text.get(at..).unwrap_or("");
        let Some(first) = rest.chars().next() else { break };
        if first == '=' && !rest.starts_with("==") {
            return Err(single_equals(at, rest, tokens.last()));
        }
        let (kind, length) = token(text, at, rest, first)?;
        tokens.push(Token { kind, start: at, end: at + length });
        at += length;
    }
    tokens.push(Token { kind: Tok::End, start: text.len(), end: text.len() });
    Ok(tokens)
}

fn skip_blanks(text: &str, mut at: usize) -> usize {
    loop {
        let rest = text.get(at..).unwrap_or("");
        if let Some(comment) = rest.strip_prefix("//") {
            at += 2 + comment.find('\n').map_or(comment.len(), |newline| newline + 1);
            continue;
        }
        let blanks = rest.bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)).count();
        if blanks == 0 {
            return at;
        }
        at += blanks;
    }
}

fn token<'t>(text: &'t str, at: usize, rest: &'t str, first: char) -> Result<(Tok<'t>, usize), Box<Problem>> {
    if first == '_' || first.is_ascii_alphabetic() {
        if let Some(literal) = literal::string(text, at)? {
            return Ok(literal);
        }
        return Ok(word(rest));
    }
    if first.is_ascii_digit() || (first == '.' && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit)) {
        return literal::number(text, at);
    }
    if matches!(first, '"' | '\'')
        && let Some(literal) = literal::string(text, at)?
    {
        return Ok(literal);
    }
    if first == '`' {
        return quoted_name(rest, at);
    }
    if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        return Ok((Tok::Symbol(symbol), symbol.len()));
    }
    Err(unexpected_character(at, rest, first))
}

fn word(rest: &str) -> (Tok<'_>, usize) {
    let length = rest.bytes().take_while(|byte| *byte == b'_' || byte.is_ascii_alphanumeric()).count();
    let word = rest.get(..length).unwrap_or("");
    let kind = match word {
        "true" => Tok::True,
        "false" => Tok::False,
        "null" => Tok::Null,
        "in" => Tok::In,
        _ if RESERVED.contains(&word) => Tok::Reserved(word),
        _ => Tok::Ident(word),
    };
    (kind, length)
}

fn quoted_name(rest: &str, at: usize) -> Result<(Tok<'_>, usize), Box<Problem>> {
    let body = rest.get(1..).unwrap_or("");
    let Some(length) = body.find('`') else {
        return Err(syntax(at..at + rest.len(), "a name in back-ticks is not closed"));
    };
    let name = body.get(..length).unwrap_or("");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b' ');
    if name.is_empty() || !name.bytes().all(allowed) {
        let problem =
            syntax(at..at + length + 2, "a name in back-ticks holds letters, digits, `_ . - /` and blanks only");
        return Err(Box::new(problem.help("use an index for other keys: `context[\"…\"]`")));
    }
    Ok((Tok::Quoted(name), length + 2))
}

/// What was probably meant with a `=` after the token `previous`.
fn single_equals(at: usize, rest: &str, previous: Option<&Token<'_>>) -> Box<Problem> {
    let known = |range: Range<usize>, written: &str, help: &str| {
        Box::new(syntax(range, format!("`{written}` is not an operator")).help(help))
    };
    for (written, help) in [
        ("=>", "write `>=` to compare"),
        ("=<", "write `<=` to compare"),
        ("=~", "write it as a call: `text.matches(\"…\")`"),
    ] {
        if rest.starts_with(written) {
            return known(at..at + written.len(), written, help);
        }
    }
    match previous.map(|token| (&token.kind, token.start, token.end)) {
        Some((Tok::Symbol("=="), start, end)) if end == at => known(start..at + 1, "===", "write `==` to compare"),
        Some((Tok::Symbol("!="), start, end)) if end == at => known(start..at + 1, "!==", "write `!=` to compare"),
        // After an operator or an opening bracket a value is due, which no operator can replace.
        None | Some((Tok::In, ..)) => syntax(at..at + 1, "expected a value, found `=`"),
        Some((Tok::Symbol(symbol), ..)) if !matches!(*symbol, ")" | "]" | "}") => {
            syntax(at..at + 1, "expected a value, found `=`")
        }
        _ => Box::new(syntax(at..at + 1, "a single `=` is not an operator").help("write `==` to compare")),
    }
}

fn unexpected_character(at: usize, rest: &str, first: char) -> Box<Problem> {
    let problem = |length: usize, message: String, help: &str| {
        let problem = syntax(at..at + length, message);
        Box::new(if help.is_empty() { *problem } else { problem.help(help) })
    };
    match first {
        '&' => problem(1, "a single `&` is not an operator".to_owned(), "write `&&` for a logical and"),
        '|' => problem(1, "a single `|` is not an operator".to_owned(), "write `||` for a logical or"),
        ';' => problem(1, "a condition is one expression and takes no `;`".to_owned(), "join terms with `&&` or `||`"),
        '“' | '”' | '„' | '‘' | '’' => problem(
            first.len_utf8(),
            format!("`{first}` is a typographic quotation mark"),
            "write straight quotation marks: \"…\" or '…'",
        ),
        '$' | '@' => problem(
            1,
            format!("unexpected character `{first}`"),
            "attributes are written without a sigil: `context.amount`",
        ),
        _ => {
            let _ = rest;
            problem(first.len_utf8(), format!("unexpected character `{}`", first.escape_debug()), "")
        }
    }
}
