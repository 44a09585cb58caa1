//! Lines: words with their places, pipes and redirections. The one lexer behind runner, completer, highlighter and validator.
//!
//! The words are those of a POSIX shell without expansion: single and double quotes, `\`, `#` comments, `;` and line ends between
//! statements, `\` at the end of a line continues it; `&&` is `;`. The text right of `|` goes to `sh -c` as it is; it reaches to the next
//! `;` outside quotes and parentheses, or to the end of the line. So does the text after `!` at the start of a statement,
//! which always reaches to the end of the line.

mod token;

use std::borrow::Cow;
use std::iter::Peekable;
use std::ops::Range;

pub use token::{OpenQuoting, Token, TokenKind, tokens};

use super::fault::{FaultKind, UserFacingError};

/// What a text says: its statements in order. Empty ones are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InputLine {
    /// In order.
    pub statements: Vec<Statement>,
}

/// One command with where its output goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    /// The words; empty only for `!cmd` and for the name of the program alone.
    pub words: Vec<Word>,
    /// `| text`: the output goes to `sh -c text`.
    pub pipe: Option<ShellText>,
    /// `> target`.
    pub redirect: Option<Redirect>,
    /// `!text`: only `sh -c text` is run.
    pub shell_escape: Option<ShellText>,
    /// From its first to its last token, in bytes.
    pub span: Range<usize>,
}

/// A word of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What it means, without quotes and backslashes.
    pub text: String,
    /// Where it is, in bytes, with its quotes.
    pub span: Range<usize>,
    /// Some of it was quoted or escaped.
    pub quoted: bool,
}

/// A text that goes to `sh` as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellText {
    /// The text, never empty.
    pub text: String,
    /// Where it is, in bytes.
    pub span: Range<usize>,
}

/// Where the output of a statement goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `>>` instead of `>`.
    pub append: bool,
    /// The file.
    pub target: Word,
}

/// Why a line is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LexError {
    /// More text could make it one: the prompt goes on asking.
    #[error("{what}")]
    Incomplete {
        /// What waits for its end, in bytes.
        span: Range<usize>,
        /// What is missing.
        what: &'static str,
    },
    /// No further text can make it one.
    #[error("{what}")]
    Invalid {
        /// What is wrong, in bytes.
        span: Range<usize>,
        /// Why.
        what: &'static str,
    },
}

impl LexError {
    /// Where it is, in bytes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        match self {
            Self::Incomplete { span, .. } | Self::Invalid { span, .. } => span.clone(),
        }
    }
}

impl UserFacingError for LexError {
    fn kind(&self) -> FaultKind {
        FaultKind::Usage
    }
}

/// Reads a text of one or more lines.
///
/// # Errors
///
/// Fails at the first place where the text is invalid; says whether more text could heal it.
pub fn lex(text: &str) -> Result<InputLine, LexError> {
    let mut line = InputLine::default();
    let mut statement: Option<Statement> = None;
    // `&&` that waits for its command, which may be on the next line.
    let mut joined: Option<Range<usize>> = None;
    let mut tokens = tokens(text).into_iter().peekable();
    while let Some(token) = tokens.next() {
        if token.kind == TokenKind::Semicolon {
            let is_and = text[token.span.clone()].starts_with('&');
            let what = if is_and { "missing command before `&&`" } else { "missing command before `;`" };
            let ended = statement.take().ok_or(LexError::Invalid { span: token.span.clone(), what })?;
            line.statements.push(ended);
            joined = is_and.then_some(token.span);
            continue;
        }
        if matches!(token.kind, TokenKind::Newline | TokenKind::Comment) {
            line.statements.extend(statement.take());
            continue;
        }
        joined = None;
        let start = token.span.start;
        let begun = statement.get_or_insert_with(|| Statement { span: start..start, ..Statement::default() });
        begun.span.end = add(begun, token, &mut tokens, text)?;
    }
    line.statements.extend(statement);
    match joined {
        Some(span) => Err(LexError::Incomplete { span, what: "missing command after `&&`" }),
        None => Ok(line),
    }
}

/// A text without its last line end: `\` in front of that waits for a line that is not there.
#[must_use]
pub fn without_line_end(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |rest| rest.strip_suffix('\r').unwrap_or(rest))
}

/// Adds a token, and the one after it if that belongs to it, to a statement; where it ends now.
fn add(
    statement: &mut Statement,
    token: Token,
    rest: &mut Peekable<impl Iterator<Item = Token>>,
    text: &str,
) -> Result<usize, LexError> {
    let end = token.span.end;
    match token.kind {
        TokenKind::Word { .. } if statement.redirect.is_some() => {
            let what = "only `;` or the end of the line can follow the file of a redirection";
            Err(LexError::Invalid { span: token.span, what })
        }
        TokenKind::Pipe | TokenKind::Bang => {
            let is_pipe = token.kind == TokenKind::Pipe;
            let shell = shell_text(text, statement, token, rest.next())?;
            let end = shell.span.end;
            *(if is_pipe { &mut statement.pipe } else { &mut statement.shell_escape }) = Some(shell);
            Ok(end)
        }
        TokenKind::Redirect | TokenKind::Append => {
            let target = rest.next_if(|next| matches!(next.kind, TokenKind::Word { .. } | TokenKind::Invalid(_)));
            let redirect = redirect(statement, token, target)?;
            let end = redirect.target.span.end;
            statement.redirect = Some(redirect);
            Ok(end)
        }
        TokenKind::Program => Ok(end),
        _ => {
            statement.words.push(word(token)?);
            Ok(end)
        }
    }
}

fn word(token: Token) -> Result<Word, LexError> {
    match token.kind {
        TokenKind::Word { open: Some(open), .. } => {
            Err(LexError::Incomplete { span: token.span, what: open.expected() })
        }
        TokenKind::Word { text, quoted, open: None } => Ok(Word { text, span: token.span, quoted }),
        TokenKind::Invalid(what) => Err(LexError::Invalid { span: token.span, what }),
        _ => Err(LexError::Invalid { span: token.span, what: "expected a word" }),
    }
}

fn shell_text(text: &str, statement: &Statement, operator: Token, shell: Option<Token>) -> Result<ShellText, LexError> {
    let piped = operator.kind == TokenKind::Pipe;
    if piped && statement.redirect.is_some() {
        let what = "the output is already redirected to a file; put the redirection after the `|`";
        return Err(LexError::Invalid { span: operator.span, what });
    }
    if piped && statement.words.is_empty() {
        return Err(LexError::Invalid { span: operator.span, what: "missing command before `|`" });
    }
    match shell {
        Some(Token { kind: TokenKind::Shell { open: Some(open) }, span }) => {
            Err(LexError::Incomplete { span, what: open.expected() })
        }
        Some(Token { kind: TokenKind::Shell { open: None }, span }) => {
            Ok(ShellText { text: text[span.clone()].replace("\\\r\n", "\\\n"), span })
        }
        _ if piped => Err(LexError::Incomplete { span: operator.span, what: "missing command after `|`" }),
        _ => Err(LexError::Invalid { span: operator.span, what: "missing command after `!`" }),
    }
}

fn redirect(statement: &Statement, operator: Token, target: Option<Token>) -> Result<Redirect, LexError> {
    if statement.words.is_empty() {
        return Err(LexError::Invalid { span: operator.span, what: "missing command before `>`" });
    }
    if statement.redirect.is_some() {
        return Err(LexError::Invalid { span: operator.span, what: "the output is already redirected to a file" });
    }
    let Some(target) = target else {
        return Err(LexError::Invalid { span: operator.span, what: "missing file after `>`" });
    };
    Ok(Redirect { append: operator.kind == TokenKind::Append, target: word(target)? })
}

/// A word as it has to be written to mean itself.
#[must_use]
pub fn quote(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '=' | '@' | '%' | '+' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// Words as a line that [`lex`] reads as these words.
pub fn join<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&quote(word.as_ref()));
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let line = lex(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        line.statements.iter().map(|it| it.words.iter().map(|word| word.text.clone()).collect()).collect()
    }

    #[test]
    fn quotes_and_backslashes_make_one_word() {
        assert_eq!(words(r#"a 'b c' "d \" e" f\ g "h"'i'"#), [["a", "b c", "d \" e", "f g", "hi"]]);
        assert_eq!(words(r#"'' "" "\n" '\n'"#), [["", "", "\\n", "\\n"]]);
    }

    #[test]
    fn statements_end_at_semicolons_and_line_ends() {
        assert_eq!(words("a;b ; c\nd # e; f\n\n # g\nh#i;"), [["a"], ["b"], ["c"], ["d"], ["h#i"]]);
        assert_eq!(words("a \\\n  b\r\nc\\\nd\r\n"), [vec!["a", "b"], vec!["cd"]]);
        assert_eq!(words("a\\\r\nb \"c\\\r\nd\" \\\r\n e"), [["ab", "cd", "e"]]);
        assert_eq!(
            words("a && b&& # x\n\nc '&&' \"d&&\" > e&& f"),
            [vec!["a"], vec!["b"], vec!["c", "&&", "d&&"], vec!["f"]]
        );
    }

    #[test]
    fn the_name_of_the_program_is_passed_over_at_the_start() {
        for (text, meant) in [
            ("tetra tsm list; tetra env list", vec![vec!["tsm", "list"], vec!["env", "list"]]),
            ("  tetra --json a && tetra\nb", vec![vec!["--json", "a"], vec![], vec!["b"]]),
            ("tetra \\\n a > f; tetra a | b", vec![vec!["a"], vec!["a"]]),
            (
                "a tetra b; tetra.sh x; 'tetra' x",
                vec![vec!["a", "tetra", "b"], vec!["tetra.sh", "x"], vec!["tetra", "x"]],
            ),
        ] {
            assert_eq!(words(text), meant, "{text}");
        }
    }

    #[test]
    fn the_text_after_a_pipe_is_taken_as_it_is() {
        for (text, right, next) in [
            ("a b | jq '.[]\n;' | head -1 > x # '; \nc", "jq '.[]\n;' | head -1 > x # ';", "c"),
            ("a | b ; c", "b", "c"),
            ("a | (while read x; do y; done) 2>&1; c", "(while read x; do y; done) 2>&1", "c"),
            ("a | { b; }; c", "{ b; }", "c"),
            ("a |\n b\nc", "b", "c"),
            ("a | b \\\r\n -c\r\nc", "b \\\n -c", "c"),
        ] {
            let line = lex(text).expect("a line");
            assert_eq!(line.statements[0].pipe.as_ref().map(|pipe| pipe.text.as_str()), Some(right));
            assert_eq!(line.statements[1].words[0].text, next);
        }
    }

    #[test]
    fn a_redirection_takes_one_file() {
        let line = lex("a>b;c >> 'd e'").expect("a line");
        let targets: Vec<_> = line.statements.iter().filter_map(|it| it.redirect.as_ref()).collect();
        assert_eq!((targets[0].append, targets[0].target.text.as_str()), (false, "b"));
        assert_eq!((targets[1].append, targets[1].target.text.as_str()), (true, "d e"));
    }

    #[test]
    fn a_bang_at_the_start_goes_to_the_shell() {
        let line = lex("! ls -l | wc; a !b").expect("a line");
        assert_eq!(line.statements[0].shell_escape.as_ref().map(|it| it.text.as_str()), Some("ls -l | wc; a !b"));
        assert_eq!(words("a !b"), [["a", "!b"]]);
    }

    #[test]
    fn what_more_text_can_heal_is_unfinished() {
        for text in ["a 'b", "a \"b", "a \\", "a |", "a | \n", "a &&", "a && # b\n", "a | b 'c", "!echo \"", "a > 'b"] {
            assert!(matches!(lex(text), Err(LexError::Incomplete { .. })), "{text:?}: {:?}", lex(text));
        }
    }

    #[test]
    fn what_means_something_elsewhere_is_refused() {
        for text in [
            "&& a",
            ";a",
            "a;;b",
            "a &&; b",
            "a ; && b",
            "a\n;b",
            "a || b",
            "a &",
            "a < b",
            "a 2>b",
            "a &> b",
            "a >&2",
            "a > b c",
            "a > b | c",
            "> a",
            "| a",
            "!",
            "a >",
            "a\0",
        ] {
            assert!(matches!(lex(text), Err(LexError::Invalid { .. })), "{text:?}: {:?}", lex(text));
        }
        assert_eq!(words("a 'x&&y' http://b?c&d '<' '&&'"), [["a", "x&&y", "http://b?c&d", "<", "&&"]]);
    }

    #[test]
    fn spans_are_where_the_words_are() {
        let text = "ä 'ö ü'; b";
        let line = lex(text).expect("a line");
        assert_eq!(&text[line.statements[0].words[1].span.clone()], "'ö ü'");
        assert_eq!(&text[line.statements[0].span.clone()], "ä 'ö ü'");
        assert_eq!(&text[line.statements[1].span.clone()], "b");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let mut last = 0;
            for token in tokens(&text) {
                prop_assert!(token.span.start >= last && text.get(token.span.clone()).is_some());
                last = token.span.end;
            }
            if let Err(error) = lex(&text) {
                prop_assert!(text.get(error.span()).is_some());
            }
        }

        #[test]
        fn no_shell_like_text_breaks_it(text in r#"[ab'"\\|>;#!&< \n\r]{0,24}"#) {
            let _ = lex(&text);
            for token in tokens(&text) {
                prop_assert!(text.get(token.span).is_some());
            }
        }

        #[test]
        fn words_agree_with_a_shell(text in r#"[ab'"\\ \t#$`é]{0,24}"#) {
            let ours = lex(&text).ok().map(|line| {
                line.statements.into_iter().flat_map(|it| it.words).map(|word| word.text).collect::<Vec<_>>()
            });
            prop_assert_eq!(ours, shlex::split(&text));
        }

        #[test]
        fn what_is_quoted_means_itself(words in proptest::collection::vec("[^\0]{0,12}", 1..5)) {
            let line = lex(&join(&words)).expect("quoted words are a line");
            prop_assert_eq!(line.statements.len(), 1);
            let read: Vec<_> = line.statements[0].words.iter().map(|word| word.text.clone()).collect();
            prop_assert_eq!(read, words);
        }
    }
}
