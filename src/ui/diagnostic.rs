//! Diagnostics in the form of compilers: file, line, caret, help.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::sanitize;
use super::style::Styler;
use crate::base::control;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::report::theme::Theme;

/// The default width, in columns: generated TOML has long lines.
const DEFAULT_WIDTH: usize = 140;

/// All diagnostics, one below the other, with a final line end.
///
/// ```text
/// error: `logging.level` must be a string
///   --> environments/local.toml:12:9
///    |
/// 12 | level = 3
///    |         ^ integer
///    |
///    = help: write "debug", "info", "warn" or "error"
/// ```
#[must_use]
pub fn render(all: &[Diagnostic], width: Option<usize>, styler: Styler) -> String {
    // Its colors are those of a compiler, whatever the theme.
    let is_colored = !matches!(styler, Styler::Plain | Styler::Colors(Theme::Mono));
    let renderer = if is_colored { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width.unwrap_or(DEFAULT_WIDTH).max(40));
    let mut out = String::new();
    for one in all {
        let shown = renderer.render(&[group(one)]);
        // The renderer leaves trailing blanks in snippets.
        for line in shown.lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

fn group(it: &Diagnostic) -> Group<'_> {
    let level = if it.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
    let title = level.primary_title(sanitize::lines(&it.title).into_owned());
    let lines = lines_around(it);
    let first = it.source[..lines.start].matches('\n').count() + 1;
    // The renderer replaces what belongs to ASCII, and leaves what hides.
    let visible = |text| control::escape(text, |c| c.is_ascii());
    let text = visible(&it.source[lines.clone()]);
    let at = |end: usize| text.floor_char_boundary(visible(&it.source[lines.start..][..end]).len());
    let mut snippet =
        Snippet::source(text.to_string()).line_start(first).path(sanitize::one_line(&it.file).into_owned());
    for (number, label) in it.labels.iter().enumerate() {
        let kind = if number == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let span = span_within_lines(&it.source, &label.span, &lines);
        let words = (!label.text.is_empty()).then(|| sanitize::one_line(&label.text).into_owned());
        snippet = snippet.annotation(kind.span(at(span.start)..at(span.end)).label(words));
    }
    let group = if it.labels.is_empty() { Group::with_title(title) } else { title.element(snippet) };
    match &it.help {
        Some(help) => group.element(Level::HELP.message(sanitize::lines(help).into_owned())),
        None => group,
    }
}

/// The byte range of the annotated lines: the renderer does not need the rest of a long file.
fn lines_around(it: &Diagnostic) -> Range<usize> {
    let source = &it.source;
    let start = it.labels.iter().map(|label| label.span.start).min().unwrap_or(0);
    let end = it.labels.iter().map(|label| label.span.end.max(label.span.start)).max().unwrap_or(0);
    let (start, end) = (source.floor_char_boundary(start), source.floor_char_boundary(end));
    let from = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = source[end..].find('\n').map_or(source.len(), |at| end + at);
    from..to.max(from)
}

/// The span relative to the shown lines, extended to whole characters.
fn span_within_lines(source: &str, span: &Range<usize>, lines: &Range<usize>) -> Range<usize> {
    let clamp = |at: usize| source.floor_char_boundary(at).clamp(lines.start, lines.end) - lines.start;
    let start = clamp(span.start);
    start..clamp(span.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::SourceText;

    fn shown(all: &[Diagnostic]) -> String {
        render(all, Some(80), Styler::Plain)
    }

    #[test]
    fn shows_file_line_caret_and_help() {
        let text = SourceText::new("local.toml", "[logging]\n# how much\nlevel = 3\n");
        let found = text.error("`logging.level` must be a string", 29..30, "integer").help("write \"debug\"");
        assert_eq!(
            shown(&[found]),
            "error: `logging.level` must be a string\n --> local.toml:3:9\n  |\n3 | level = 3\n  |         ^ integer\n  \
             |\n  = help: write \"debug\"\n"
        );
    }

    #[test]
    fn shows_several_places_and_several_diagnostics() {
        let text = SourceText::new("local.toml", "a = 1\nb = 2\na = 3\n");
        let twice = text.error("`a` is there twice", 12..13, "again here").with_label(0..1, "first here");
        let worth = text.warning("`b` means nothing", 6..7, "");
        let said = shown(&[twice, worth]);
        assert!(said.contains("1 | a = 1\n  | - first here\n"), "{said}");
        assert!(said.contains("3 | a = 3\n  | ^ again here\n"), "{said}");
        assert!(said.contains("warning: `b` means nothing\n --> local.toml:2:1\n"), "{said}");
    }

    #[test]
    fn counts_characters_not_bytes_and_marks_the_end() {
        let text = SourceText::new("f", "ä = \"日本\" x");
        let said = shown(&[text.error("what", 14..15, "here")]);
        assert!(said.contains("f:1:10"), "{said}");
        assert!(said.contains("  |            ^ here"), "{said}");
        let said = shown(&[SourceText::new("f", "").error("empty", 0..0, "")]);
        assert!(said.contains("f:1:1"), "{said}");
        let said = shown(&[SourceText::new("f", "a =").error("no value", 3..9, "")]);
        assert!(said.contains("f:1:4"), "{said}");
    }

    #[test]
    fn nothing_in_the_text_reaches_the_terminal_as_a_command() {
        let text = SourceText::new("a\u{1b}[2J", "x = \"\u{1b}]0;t\u{7}\"\n");
        let found = text.error("bad \u{1b}[31m", 0..1, "\u{1b}[2J").help("\u{1b}[2J");
        assert!(!shown(&[found]).contains('\u{1b}'));
    }

    #[test]
    fn colours_are_only_for_those_who_see_them() {
        let text = SourceText::new("f", "a = 1\n");
        let found = [text.error("wrong", 0..1, "")];
        assert!(render(&found, None, Styler::Colors(Theme::Default)).contains('\u{1b}'));
        assert!(!render(&found, None, Styler::Plain).contains('\u{1b}'));
    }

    #[test]
    fn a_long_file_and_a_long_line_are_cut_to_what_matters() {
        let text = format!("{}k = {}\n{}", "a = 1\n".repeat(100_000), "9".repeat(5000), "b = 2\n".repeat(100_000));
        let at = 600_000;
        let text = SourceText::new("f", text);
        let said = shown(&[text.error("wrong", at..at + 1, "this")]);
        assert!(said.contains("f:100001:1"), "{said}");
        assert!(said.len() < 2000, "{}", said.len());
    }
}
