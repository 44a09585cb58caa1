//! What an operator wrote as the program to run, made into words: split, or handed to a shell.

use crate::base::fault::{FaultKind, UserFacingError};

/// A program to run, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// Leading `K=V` words: variables of the program.
    pub set: Vec<(String, String)>,
    /// The words; for a shell only what can be seen of them, to find the kind, the name and the port.
    pub words: Vec<String>,
    /// The text for `bash -c`, when it needs a shell.
    pub shell: Option<String>,
}

/// A text that cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unclosed quote in `{}`", .0.escape_debug())]
pub struct UnclosedQuote(pub String);

impl UserFacingError for UnclosedQuote {
    fn kind(&self) -> FaultKind {
        FaultKind::Usage
    }
}

impl CommandLine {
    /// Words as they were given, each one a word of the program.
    #[must_use]
    pub fn of_words(words: &[String]) -> Self {
        let split = words.iter().position(|word| assignment(word).is_none()).unwrap_or(words.len());
        let set = words[..split].iter().filter_map(|word| assignment(word)).collect();
        Self { set, words: words[split..].to_vec(), shell: None }
    }

    /// The words of a program as it is executed.
    #[must_use]
    pub fn of_program(argv: &[String]) -> Self {
        Self { words: argv.to_vec(), ..Self::default() }
    }

    /// A whole command line in one text. With shell operators, variables or words of a shell it goes to one as it is.
    ///
    /// # Errors
    ///
    /// Fails if a quote is not closed.
    pub fn of_text(text: &str) -> Result<Self, UnclosedQuote> {
        let words = shlex::split(text).ok_or_else(|| UnclosedQuote(text.to_owned()))?;
        let mut line = Self::of_words(&words);
        let built_in = line.words.first().is_some_and(|first| BUILT_IN.contains(&first.as_str()));
        if built_in || needs_shell(text) {
            line.words = main_command(&line.words);
            line.set.clear();
            line.shell = Some(text.trim().to_owned());
        }
        Ok(line)
    }
}

/// A word so that a shell reads it as it is.
#[must_use]
pub fn quoted(word: &str) -> String {
    // Only a NUL cannot be quoted, and no word of a command line can hold one.
    shlex::try_quote(word).map_or_else(|_| word.replace('\0', ""), std::borrow::Cow::into_owned)
}

/// Words so that a shell reads them as they are.
#[must_use]
pub fn join(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// `K=V` with a name that a variable can have.
#[must_use]
pub fn assignment(word: &str) -> Option<(String, String)> {
    let (key, value) = word.split_once('=')?;
    let begins = key.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let legal = begins && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    legal.then(|| (key.to_owned(), value.to_owned()))
}

/// First words that only a shell knows.
const BUILT_IN: [&str; 16] = [
    "exec", "cd", "source", ".", "export", "ulimit", "umask", "eval", "set", "if", "for", "while", "until", "case",
    "{", "!",
];

/// True if a text means more to a shell than words: operators, variables, patterns outside of quotes.
fn needs_shell(text: &str) -> bool {
    let mut characters = text.trim().chars().peekable();
    let (mut single, mut double, mut begins) = (false, false, true);
    while let Some(c) = characters.next() {
        match c {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '\\' if !single => _ = characters.next(),
            '$' | '`' if !single => return true,
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '\n' if !single && !double => return true,
            '~' if begins && !single && !double => return true,
            _ => {}
        }
        begins = c == ' ' || c == '\t';
    }
    false
}

/// The part of a shell's text that most likely stays: the last command, without variables and `exec` before it.
fn main_command(words: &[String]) -> Vec<String> {
    let separates = |word: &String| matches!(word.as_str(), "&&" | ";" | "||") || word.ends_with(';');
    let begin = words.iter().rposition(separates).map_or(0, |at| at + 1);
    let part = words[begin..].iter().take_while(|word| !matches!(word.as_str(), "|" | "&" | ">" | ">>" | "<" | "2>&1"));
    let part = part.skip_while(|word| assignment(word).is_some() || *word == "exec");
    part.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_text_without_operators_is_split_as_a_shell_would() {
        let line = CommandLine::of_text("node 'my app.js' \"a b\" c\\ d").expect("words");
        assert_eq!(line.words, words(&["node", "my app.js", "a b", "c d"]));
        assert_eq!(line.shell, None);
    }

    #[test]
    fn a_text_with_operators_goes_to_a_shell() {
        for text in [
            "cd x && node y.js",
            "a | b",
            "a > f",
            "echo $HOME",
            "a; b",
            "echo `x`",
            "ls *.py",
            "~/bin/x",
            "(a)",
            "exec a b",
            "cd x",
        ] {
            assert_eq!(CommandLine::of_text(text).expect("words").shell.as_deref(), Some(text));
        }
        for text in ["echo 'a && b'", "echo \"a | b\"", r"echo a\;b", "echo '$HOME'", "x a~b"] {
            assert_eq!(CommandLine::of_text(text).expect("words").shell, None, "{text}");
        }
    }

    #[test]
    fn of_a_shell_text_the_last_command_counts() {
        let line = CommandLine::of_text("cd srv && A=1 exec node app.js 3000 2>&1 | tee log").expect("words");
        assert_eq!(line.words, words(&["node", "app.js", "3000"]));
        assert!(line.set.is_empty(), "the shell sets them itself");
    }

    #[test]
    fn leading_variables_belong_to_the_program() {
        let line = CommandLine::of_words(&words(&["PORT=3000", "A=b c", "node", "x.js", "K=V"]));
        assert_eq!(line.set, [("PORT".to_owned(), "3000".to_owned()), ("A".to_owned(), "b c".to_owned())]);
        assert_eq!(line.words, words(&["node", "x.js", "K=V"]));
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,60}") {
            if let Ok(line) = CommandLine::of_text(&text) {
                let shape = crate::tsm::detect::detect(&line.words);
                let _ = crate::tsm::port::guess(&line.words, &shape);
                let cwd = std::path::Path::new("/nowhere");
                let base = crate::tsm::name::BaseName::derived(&line.words, &shape, cwd);
                assert!(crate::base::name::is_name(&base.text) && base.with_port(Some(65535)).is_ok(), "{base:?}");
            }
        }
    }

    #[test]
    fn an_open_quote_is_said() {
        assert!(CommandLine::of_text("echo 'a").is_err());
    }

    #[test]
    fn quoting_is_what_a_shell_reads_back() {
        for word in ["", "a b", "it's", "$x", "✅ é", "a\nb", "-n", "!"] {
            assert_eq!(shlex::split(&quoted(word)), Some(vec![word.to_owned()]));
        }
    }
}
