//! The manual: pages made of the table of commands, the topics of the help and `docs/formats.md`; as roff for `man`, and all of them
//! as one page of HTML.

mod html;
mod markdown;
mod pages;
mod roff;

pub use html::html;
pub use pages::pages;
pub use roff::roff;

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// What `man` finds it by.
    pub name: String,
    /// 1 for programs, 5 for files.
    pub section: u8,
    /// What it is about, in one line.
    pub summary: String,
    /// What it says.
    pub blocks: Vec<ManualBlock>,
}

impl Page {
    /// Where it is below a directory of manual pages.
    #[must_use]
    pub fn file(&self) -> String {
        format!("man{0}/{1}.{0}", self.section, self.name)
    }
}

/// A piece of a page. Texts have `code` in backquotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManualBlock {
    /// Begins a part.
    Part(String),
    /// Begins a part of a part.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Lines that stay as they are.
    Lines(String),
    /// A word and what it means.
    Item(String, String),
}

/// A text with code in backquotes, piece by piece; true for code. A backquote without a second one is one.
fn pieces(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let paired = text.matches('`').count().is_multiple_of(2);
    let end = if paired { text.len() } else { text.rfind('`').unwrap_or(text.len()) };
    let (whole, rest) = text.split_at(end);
    let pieces = whole.split('`').enumerate().map(|(number, piece)| (piece, number % 2 == 1));
    pieces.chain([(rest, false)]).filter(|(piece, _)| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::context::SETTINGS;
    use crate::command::registry::COMMANDS;
    use crate::report::ShorthandKind;

    #[test]
    fn every_command_with_its_options_is_in_one_page() {
        let pages = pages();
        let whole = html(&pages, "");
        for entry in COMMANDS.iter().filter(|entry| !entry.is_hidden()) {
            let heading = ManualBlock::Heading(entry.name.to_owned());
            let page = pages.iter().filter(|page| page.blocks.contains(&heading)).collect::<Vec<_>>();
            let [page] = page[..] else { panic!("`{}` is in {} pages", entry.name, page.len()) };
            let text = roff(page, "");
            let parser = (entry.parser)();
            for long in parser.get_arguments().filter(|it| !it.is_hide_set()).filter_map(clap::Arg::get_long) {
                let escaped = format!("\\-\\-{}", long.replace('-', "\\-"));
                assert!(text.contains(&escaped) && whole.contains(&format!("--{long}")), "{} --{long}", entry.name);
            }
        }
    }

    #[test]
    fn the_page_of_the_settings_has_every_setting_and_table() {
        let page = pages().into_iter().find(|page| page.name == "tetra-config.toml").expect("it is there");
        let text = roff(&page, "").replace("\\-", "-");
        let tables = ShorthandKind::ALL.map(|kind| format!("[{}]", kind.table()));
        for name in tables.iter().map(String::as_str).chain(SETTINGS.iter().map(|it| it.name)) {
            assert!(text.contains(name), "{name}: {text}");
        }
    }

    #[test]
    fn each_link_of_the_reference_leads_to_one_heading() {
        let whole = html(&pages(), "");
        let links: Vec<&str> = whole.split("href=\"#").skip(1).filter_map(|it| it.split('"').next()).collect();
        assert!(links.len() > 150, "{}", links.len());
        for link in links {
            assert_eq!(whole.matches(&format!(" id=\"{link}\"")).count(), 1, "{link}");
        }
    }

    #[test]
    fn a_page_about_a_file_has_what_its_description_says() {
        for page in pages().iter().filter(|page| page.section == 5) {
            let items = page.blocks.iter().filter(|it| matches!(it, ManualBlock::Item(..))).count();
            assert!(items > 8, "{}: {items} items", page.name);
        }
    }

    #[test]
    fn code_is_between_two_backquotes() {
        let of = |text| {
            pieces(text).map(|(piece, code)| format!("{}{piece}", if code { "!" } else { "" })).collect::<Vec<_>>()
        };
        assert_eq!(of("a `b` c"), ["a ", "!b", " c"]);
        assert_eq!(of("a `b` c ` d"), ["a ", "!b", " c ", "` d"]);
    }
}
