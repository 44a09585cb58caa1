//! The part of Markdown that `docs/formats.md` is written in.

use super::ManualBlock;

/// The text below a heading of the second level, without it; empty if there is none of that name.
pub(super) fn part(page: &str, title: &str) -> Vec<ManualBlock> {
    let heading = format!("\n## {title}\n");
    let text = page.split_once(&heading).map(|(_, rest)| rest).unwrap_or_default();
    let text = text.split("\n## ").next().unwrap_or_default();
    let mut blocks = Vec::new();
    let mut rest = text.lines().peekable();
    while let Some(line) = rest.next() {
        let mut more = |goes_on: fn(&str) -> bool| {
            let mut lines = Vec::new();
            while let Some(line) = rest.next_if(|line| goes_on(line)) {
                lines.push(line);
            }
            lines
        };
        if line.starts_with("```") {
            blocks.push(ManualBlock::Lines(more(|line| !line.starts_with("```")).join("\n")));
            rest.next();
        } else if line.starts_with('|') {
            blocks.extend(table(line, &more(|line| line.starts_with('|'))));
        } else if let Some(title) = line.strip_prefix("### ") {
            blocks.push(ManualBlock::Heading(title.to_owned()));
        } else if let Some(point) = line.strip_prefix("* ").or(line.strip_prefix("- ")) {
            blocks.push(ManualBlock::Item("*".to_owned(), joined(point, &more(|line| line.starts_with("  ")))));
        } else if !line.is_empty() && !line.starts_with("<!--") {
            blocks.push(ManualBlock::Text(joined(line, &more(is_of_a_paragraph))));
        }
    }
    blocks
}

fn is_of_a_paragraph(line: &str) -> bool {
    !line.is_empty() && !["```", "|", "#", "<!--", "* ", "- "].iter().any(|it| line.starts_with(it))
}

fn joined(first: &str, more: &[&str]) -> String {
    [first].iter().chain(more).map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Each row as its first cell and the others; those between have the heading of their column.
fn table(head: &str, rows: &[&str]) -> Vec<ManualBlock> {
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let head = cells(head);
    let rows = rows.iter().filter(|row| !row.starts_with("|--")).map(|row| cells(row));
    let item = |row: Vec<String>| {
        let (last, between) = row.get(1..)?.split_last()?;
        let named = between.iter().zip(&head[1..]).filter(|(cell, _)| !cell.is_empty());
        let mut words: Vec<String> = named.map(|(cell, column)| format!("{column} {cell}")).collect();
        words.push(last.clone());
        Some(ManualBlock::Item(row[0].replace('`', ""), words.join("; ")))
    };
    rows.filter_map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_its_paragraphs_lists_tables_and_lines() {
        let page = "# x\n\n## A\n\none\ntwo\n\n- p\n  q\n\n| key | of | meaning |\n|---|---|---|\n| `k` | n | m |\n\n```sh\na\n\nb\n```\n\n## B\n\nno\n";
        let item = |a: &str, b: &str| ManualBlock::Item(a.to_owned(), b.to_owned());
        let wanted = vec![
            ManualBlock::Text("one two".to_owned()),
            item("*", "p q"),
            item("k", "of n; m"),
            ManualBlock::Lines("a\n\nb".to_owned()),
        ];
        assert_eq!(part(page, "A"), wanted);
        assert!(part(page, "C").is_empty());
    }
}
