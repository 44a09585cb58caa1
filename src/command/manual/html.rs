//! All pages as one page of HTML, without anything from elsewhere.

use super::{ManualBlock, Page, pieces};

const STYLE: &str = include_str!("manual.css");

/// The whole reference. `note` is a comment in its second line.
#[must_use]
pub fn html(pages: &[Page], note: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "<!doctype html>\n<!-- {note} -->\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>tetra {version}</title>\n<style>\n{STYLE}</style>\n<nav>\n"
    );
    for page in pages {
        text.push_str(&format!("<a class=\"page\" href=\"#{0}\">{0}({1})</a>\n", page.name, page.section));
        for title in page.blocks.iter().filter_map(heading) {
            text.push_str(&format!("<a href=\"#{}\">{}</a>\n", anchor(&page.name, title), escaped(title)));
        }
    }
    text.push_str("</nav>\n<main>\n");
    for page in pages {
        text.push_str(&format!("<h1 id=\"{0}\">{0}({1})</h1>\n", page.name, page.section));
        text.push_str(&format!("<p>{}</p>\n", inline(&page.summary)));
        let mut in_list = false;
        for block in &page.blocks {
            let is_item = matches!(block, ManualBlock::Item(..));
            if is_item != in_list {
                text.push_str(if is_item { "<dl>\n" } else { "</dl>\n" });
                in_list = is_item;
            }
            text.push_str(&piece(page, block));
        }
        text.push_str(if in_list { "</dl>\n" } else { "" });
    }
    text.push_str("</main>\n</html>\n");
    text
}

fn heading(block: &ManualBlock) -> Option<&str> {
    match block {
        ManualBlock::Heading(title) => Some(title),
        _ => None,
    }
}

fn piece(page: &Page, block: &ManualBlock) -> String {
    match block {
        ManualBlock::Part(title) => format!("<h2>{}</h2>\n", escaped(title)),
        ManualBlock::Heading(title) => format!("<h3 id=\"{}\">{}</h3>\n", anchor(&page.name, title), escaped(title)),
        ManualBlock::Text(words) => format!("<p>{}</p>\n", inline(words)),
        ManualBlock::Lines(lines) => format!("<pre>{}</pre>\n", escaped(lines.trim_end())),
        ManualBlock::Item(term, words) => format!("<dt>{}</dt><dd>{}</dd>\n", escaped(term), inline(words)),
    }
}

/// What a link to a heading ends with; the name of a command is that of its link.
fn anchor(page: &str, title: &str) -> String {
    let plain: String = title.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if title.starts_with(page) { plain } else { format!("{page}-{plain}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn inline(text: &str) -> String {
    let code = |(piece, is_code): (&str, bool)| match is_code {
        true => format!("<code>{}</code>", escaped(piece)),
        false => escaped(piece),
    };
    pieces(text).map(code).collect()
}
