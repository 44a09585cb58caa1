//! A page as `man` reads it.

use super::{ManualBlock, Page, pieces};

/// The text of a page for `man`. `note` is a comment in its first line.
#[must_use]
pub fn roff(page: &Page, note: &str) -> String {
    let (name, section) = (&page.name, page.section);
    let source = concat!("tetra ", env!("CARGO_PKG_VERSION"));
    let mut text = format!(
        ".\\\" {note}\n.TH \"{}\" {section} \"\" \"{source}\" \"tetra\"\n.SH NAME\n{} \\- {}\n",
        name.to_uppercase(),
        escaped(name),
        inline(&page.summary)
    );
    for block in &page.blocks {
        text.push_str(&match block {
            ManualBlock::Part(title) => format!(".SH {}\n", quoted(&title.to_uppercase())),
            ManualBlock::Heading(title) => format!(".SS {}\n", quoted(title)),
            ManualBlock::Text(words) => format!(".PP\n{}\n", inline(words)),
            ManualBlock::Lines(lines) => format!(".PP\n.RS 2\n.nf\n{}\n.fi\n.RE\n", by_line(lines)),
            ManualBlock::Item(term, words) => format!(".TP\n\\fB{}\\fR\n{}\n", escaped(term), inline(words)),
        });
    }
    text
}

fn by_line(lines: &str) -> String {
    lines.trim_end().lines().map(guarded).collect::<Vec<_>>().join("\n")
}

/// Letters that mean something to roff, or that some of them know only by number.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            ascii if ascii.is_ascii() => escaped.push(ascii),
            other => escaped.push_str(&format!("\\[u{:04X}]", u32::from(other))),
        }
    }
    escaped
}

/// A line that roff takes as text, whatever it begins with.
fn guarded(line: &str) -> String {
    let line = escaped(line);
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}

fn inline(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let bold = |(piece, is_code): (&str, bool)| match is_code {
        true => format!("\\fB{}\\fR", escaped(piece)),
        false => escaped(piece),
    };
    let line: String = pieces(&text).map(bold).collect();
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}

/// An argument of a request.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(&text.replace('`', "")).replace('"', "\\(dq"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_request_or_an_escape() {
        let texts = [".SH no", "'br", "a \\fB b", "--force `x-y` a", "…"];
        let blocks =
            texts.iter().flat_map(|it| [ManualBlock::Text((*it).to_owned()), ManualBlock::Lines((*it).to_owned())]);
        let page = Page { name: "a-b".to_owned(), section: 5, summary: "s".to_owned(), blocks: blocks.collect() };
        let text = roff(&page, "note");
        assert!(text.starts_with(".\\\" note\n.TH \"A-B\" 5 \"\" \"tetra "), "{text}");
        assert!(!text.contains("\n.SH no") && !text.contains("\n'br"), "{text}");
        assert!(text.contains("a \\efB b") && text.contains("\\-\\-force \\fBx\\-y\\fR a"), "{text}");
        assert!(text.contains("\\[u2026]") && text.is_ascii(), "{text}");
    }
}
