//! What a unit file says, generated or written by hand.

use std::path::PathBuf;

/// The values of a key, in order; the section does not matter, for no key of ours is in two.
pub fn values<'a>(text: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('=').map(str::trim))
}

/// The program that the unit executes.
#[must_use]
pub fn program(text: &str) -> Option<PathBuf> {
    let command = words(values(text, "ExecStart").last()?).into_iter().next()?;
    Some(PathBuf::from(command.replace("$$", "$").replace("%%", "%")))
}

/// A variable that the unit gives, as it was written; the last one counts.
#[must_use]
pub fn variable(text: &str, name: &str) -> Option<String> {
    let words = values(text, "Environment").flat_map(words);
    let given = words.filter_map(|word| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned()));
    given.last().map(|value| value.replace("%%", "%"))
}

/// The words of a value, without their quotes.
fn words(value: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', _) => word.extend(characters.next()),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if c.is_whitespace() => found.extend(Some(std::mem::take(&mut word)).filter(|it| !it.is_empty())),
            (c, _) => word.push(c),
        }
    }
    found.extend(Some(word).filter(|it| !it.is_empty()));
    found
}
