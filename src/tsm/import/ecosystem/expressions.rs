//! Expressions of a program whose value can be seen: texts between backticks, texts that are added, `__dirname`, and
//! `path.join(__dirname, …)`. Nothing is executed.

use std::path::{Component, Path, PathBuf};

/// The text with such expressions replaced by their values; none if one is of another kind. What is not an expression of text is left
/// as it is: the reader of the value judges it.
pub(super) fn evaluated(text: &str, dir: &Path) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = comment(rest) {
            rest = &rest[length..];
        } else if let Some((value, behind)) = sum(rest, dir) {
            out.push_str(&serde_json::to_string(&value).ok()?);
            // Anything that goes on is an expression of another kind.
            if skip(behind).starts_with(['+', '.', '[', '(', '?', '|', '&', '`']) {
                return None;
            }
            rest = behind;
        } else if first == '`' {
            return None;
        } else {
            // A whole word, so that no part of it is taken for one of ours.
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()).max(first.len_utf8());
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    Some(out)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '.')
}

/// `a + b + …`
fn sum<'t>(text: &'t str, dir: &Path) -> Option<(String, &'t str)> {
    let (mut value, mut rest) = term(text, dir)?;
    while let Some(behind) = skip(rest).strip_prefix('+') {
        let (more, after) = term(skip(behind), dir)?;
        value.push_str(&more);
        rest = after;
    }
    Some((value, rest))
}

fn term<'t>(text: &'t str, dir: &Path) -> Option<(String, &'t str)> {
    if text.starts_with(['\'', '"']) {
        let end = end_of_string(text)?;
        return Some((json5::from_str(&text[..end]).ok()?, &text[end..]));
    }
    if let Some(body) = text.strip_prefix('`') {
        let end = body.find('`')?;
        let plain = !body[..end].contains(['\\']) && !body[..end].contains("${");
        return plain.then(|| (body[..end].to_owned(), &body[end + 1..]));
    }
    if let Some(behind) = text.strip_prefix("__dirname") {
        return (!behind.starts_with(is_word)).then(|| (dir.display().to_string(), behind));
    }
    let call = ["path.join(", "path.resolve("].iter().find_map(|name| text.strip_prefix(name))?;
    let (mut parts, mut rest) = (Vec::new(), skip(call));
    loop {
        let (part, behind) = sum(rest, dir)?;
        parts.push(part);
        let behind = skip(behind);
        match behind.strip_prefix(',') {
            Some(more) => rest = skip(more),
            None => {
                rest = behind;
                break;
            }
        }
    }
    let rest = rest.strip_prefix(')')?;
    // What begins elsewhere depends on where the program runs.
    let (first, others) = parts.split_first().filter(|(first, _)| first.starts_with('/'))?;
    let inner = |part: &String| !(text.starts_with("path.resolve") && part.starts_with('/'));
    let joined =
        others.iter().all(inner).then(|| others.iter().fold(first.clone(), |all, part| format!("{all}/{part}")))?;
    Some((normalized(Path::new(&joined)).display().to_string(), rest))
}

/// Without `.` and `..`, as these functions give it.
fn normalized(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut all, part| {
        match part {
            Component::ParentDir => {
                all.pop();
            }
            Component::CurDir => {}
            part => all.push(part),
        }
        all
    })
}

fn end_of_string(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then(|| at + c.len_utf8())
    })
}

/// The length of a comment, if the text begins with one.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.strip_prefix("/*").and_then(|body| Some(body.find("*/")? + 4))
}

/// Without blanks and comments at its begin.
fn skip(text: &str) -> &str {
    let text = text.trim_start();
    comment(text).map_or(text, |length| skip(&text[length..]))
}
