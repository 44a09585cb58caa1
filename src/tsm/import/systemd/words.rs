//! Command lines of units: words in quotes, with the escapes of C in all of them, and `;` between commands. No shell reads them.

use crate::tsm::command_line::quoted;

/// The words of each command of a line, or nothing if a quote is not closed.
pub(super) fn commands(text: &str) -> Option<Vec<Vec<String>>> {
    let mut all = vec![Vec::new()];
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(after) = alone(rest, ";") {
            all.push(Vec::new());
            rest = after;
            continue;
        }
        let (word, after) = match alone(rest, "\\;") {
            Some(after) => (";".to_owned(), after),
            None => word(rest)?,
        };
        all.last_mut()?.push(word);
        rest = after.trim_start();
    }
    all.retain(|words| !words.is_empty());
    Some(all)
}

/// The words of a line in which a `;` is a word as any other.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let (mut all, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let (word, after) = word(rest)?;
        all.push(word);
        rest = after.trim_start();
    }
    Some(all)
}

/// What follows `sign`, if that is a word of its own.
fn alone<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    let after = text.strip_prefix(sign)?;
    (after.is_empty() || after.starts_with(char::is_whitespace)).then(|| after.trim_start())
}

/// The first word, and what is behind it.
fn word(text: &str) -> Option<(String, &str)> {
    let (mut word, mut quote, mut at) = (String::new(), None, 0);
    while let Some(c) = text[at..].chars().next() {
        at += c.len_utf8();
        match (c, quote) {
            ('\\', _) => match escape(&text[at..]) {
                Some((c, length)) => {
                    word.push(c);
                    at += length;
                }
                // What is no escape stays, with its backslash.
                None => word.push('\\'),
            },
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if c.is_whitespace() => return Some((word, &text[at..])),
            (c, _) => word.push(c),
        }
    }
    quote.is_none().then_some((word, ""))
}

/// The character of an escape behind its backslash, and how long it is.
fn escape(text: &str) -> Option<(char, usize)> {
    let first = text.chars().next()?;
    let one = match first {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        's' => ' ',
        '\\' | '"' | '\'' => first,
        _ => {
            let (begin, digits, radix) = match first {
                'x' => (1, 2, 16),
                'u' => (1, 4, 16),
                'U' => (1, 8, 16),
                '0'..='7' => (0, 3, 8),
                _ => return None,
            };
            let number = text.get(begin..begin + digits)?;
            let is_number = number.chars().all(|c| c.is_digit(radix));
            let code = u32::from_str_radix(number, radix).ok().filter(|code| is_number && *code != 0)?;
            // A byte beyond ASCII is a part of a character only.
            let is_byte = !matches!(first, 'u' | 'U');
            let c = char::from_u32(code).filter(|c| c.is_ascii() || !is_byte)?;
            return Some((c, begin + digits));
        }
    };
    Some((one, 1))
}

/// A word for a shell in which only the variables are more than text: `${X}` anywhere, and `$X` if it is the whole word, which is then
/// as many words as it has. Any other `$` is for the program itself.
pub(super) fn shown(word: &str) -> String {
    let is_name = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
    };
    if word.strip_prefix('$').is_some_and(is_name) {
        return word.to_owned();
    }
    let (mut plain, mut in_quotes, mut rest) = (String::new(), String::from('"'), word);
    let mut has_variable = false;
    while let Some(c) = rest.chars().next() {
        let variable = rest.strip_prefix("${").and_then(|inner| inner.split_once('}'));
        if let Some((name, after)) = variable.filter(|(name, _)| is_name(name)) {
            has_variable = true;
            in_quotes.push_str(&format!("${{{name}}}"));
            rest = after;
            continue;
        }
        rest = &rest[if rest.starts_with("$$") { 2 } else { c.len_utf8() }..];
        plain.push(c);
        if matches!(c, '"' | '\\' | '`' | '$') {
            in_quotes.push('\\');
        }
        in_quotes.push(c);
    }
    if has_variable { in_quotes + "\"" } else { quoted(&plain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_systemd_does() {
        let one = |text: &str| commands(text).map(|all| all.iter().map(|words| words.join("|")).collect::<Vec<_>>());
        for (text, expected) in [
            ("/bin/a  b\t'c d' \"e f\"", &["/bin/a|b|c d|e f"][..]),
            ("/bin/a ; /bin/b ;", &["/bin/a", "/bin/b"]),
            (r"find . -exec x {} \; ; b;c ';'", &["find|.|-exec|x|{}|;", "b;c|;"]),
            (r#"a 'it\'s' "\x41\102\u00e9\s" \.log 's/\s*$/\t/'"#, &["a|it's|ABé |\\.log|s/ *$/\t/"]),
            ("a ''", &["a|"]),
            (r"a \xe9 \x0 \", &[r"a|\xe9|\x0|\"]),
            ("", &[]),
        ] {
            assert_eq!(
                one(text).as_deref(),
                Some(&expected.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
        assert_eq!((one("a 'b"), words("A=\"x")), (None, None));
        assert_eq!(
            words("A=1 ; 'B=c d'").as_deref(),
            Some(&["A=1".to_owned(), ";".to_owned(), "B=c d".to_owned()][..])
        );
    }

    #[test]
    fn only_what_systemd_replaces_is_left_to_the_shell() {
        for (word, expected) in [
            ("$ARGS", "$ARGS"),
            ("${ONE}", "\"${ONE}\""),
            ("--on=${A}:$B", r#""--on=${A}:\$B""#),
            ("a$TWO", "'a$TWO'"),
            ("for i in 1; do echo $i $(id) `id`; done", "'for i in 1; do echo $i $(id) `id`; done'"),
            ("exec $(cat x) ${A}", r#""exec \$(cat x) ${A}""#),
            ("echo $1 $? $$HOME $${A}", "'echo $1 $? $HOME ${A}'"),
            ("$5", "'$5'"),
            ("$$", "'$'"),
        ] {
            assert_eq!(shown(word), expected, "{word}");
        }
    }
}
