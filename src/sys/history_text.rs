//! The text of old rows once more, a thousand rows in one: a search that reads every line goes through text, not through rows,
//! which takes a fifth of the time.
//!
//! A block holds the rows of [`BLOCK`] successive ids. The rows stay the truth: triggers drop a block with the first change of one
//! of its rows, whichever program makes it, [`pack`] writes it again, and a reader takes the rows where a block is missing. Another
//! layout needs another name of the table.

use std::ops::RangeInclusive;

use memchr::{memchr, memchr_iter, memrchr};
use regex::bytes::{Regex, RegexBuilder};
use rusqlite::{Connection, TransactionBehavior, params};

use super::history::{Matching, Rows, has_table};

/// How many ids a block has.
const BLOCK: i64 = 1024;

/// A block with more text than this, in bytes, stays empty, and its rows are read.
const MAX_TEXT: usize = 1 << 20;

/// Ends a line or a context; UTF-8 has no such byte.
const END: u8 = 0xff;

/// `lines` and `contexts` have an entry for every id, empty where the row is missing or a later one is the same. Both are null if
/// the rows have to be read.
fn schema() -> String {
    format!(
        "create table history_text (block integer primary key, lines blob, contexts blob) strict;
        create trigger history_text_inserted after insert on history
            begin delete from history_text where block = new.id / {BLOCK}; end;
        create trigger history_text_deleted after delete on history
            begin delete from history_text where block = old.id / {BLOCK}; end;
        create trigger history_text_updated after update on history
            when old.id is not new.id or old.command_line is not new.command_line or old.cwd is not new.cwd
            begin delete from history_text where block in (old.id / {BLOCK}, new.id / {BLOCK}); end;"
    )
}

/// Writes the newest block that is missing. The last ids are left to their rows: they still change.
///
/// # Errors
///
/// Fails if the database is locked or full. Nothing is written then.
pub(super) fn pack(database: &mut Connection) -> rusqlite::Result<()> {
    if missing(database)?.is_none() {
        return Ok(());
    }
    let packing = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !has_table(&packing, "history_text")? {
        packing.execute_batch(&schema())?;
    }
    // Asked again: another process may have packed it.
    if let Some(block) = missing(&packing)? {
        let (lines, contexts) = text_of(&packing, block)?.map(|text| (text.lines, text.contexts)).unzip();
        packing.execute(
            "insert into history_text (block, lines, contexts) values (?1, ?2, ?3)",
            params![block, lines, contexts],
        )?;
    }
    packing.commit()
}

fn missing(database: &Connection) -> rusqlite::Result<Option<i64>> {
    let ends = "select (select min(id) from history), (select max(id) from history)";
    let (Some(oldest), Some(newest)): (Option<i64>, Option<i64>) =
        database.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?)))?
    else {
        return Ok(None);
    };
    let packed = blocks(database, "block >= 0")?;
    Ok((oldest.max(0) / BLOCK..newest / BLOCK).rev().find(|block| packed.binary_search_by(|it| block.cmp(it)).is_err()))
}

/// The latest first.
fn blocks(database: &Connection, which: &str) -> rusqlite::Result<Vec<i64>> {
    if !has_table(database, "history_text")? {
        return Ok(Vec::new());
    }
    let mut statement =
        database.prepare(&format!("select block from history_text where {which} order by block desc"))?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The lines of a block and their contexts, each with its end.
#[derive(Debug, Default)]
struct BlockText {
    lines: Vec<u8>,
    contexts: Vec<u8>,
    /// How many ids they have.
    length: i64,
}

impl BlockText {
    fn push(&mut self, line: &[u8], context: &[u8]) {
        for (text, part) in [(&mut self.lines, line), (&mut self.contexts, context)] {
            text.extend_from_slice(part);
            text.push(END);
        }
        self.length += 1;
    }

    /// Leaves ids without a line.
    fn pad(&mut self, length: i64) {
        while self.length < length {
            self.push(b"", b"");
        }
    }
}

/// None if it is too much, or not text. Of equal lines only the latest is there, which a search gives.
fn text_of(database: &Connection, block: i64) -> rusqlite::Result<Option<BlockText>> {
    let ids = ids_of(block);
    let mut statement = database.prepare(
        "select id, command_line, coalesce(cwd, '') from history as this where id between ?1 and ?2 and not exists ( \
             select 1 from history as later where later.command_line = this.command_line and later.cwd is this.cwd \
             and later.id between this.id + 1 and ?2 \
         ) order by id",
    )?;
    let mut rows = statement.query([ids.start(), ids.end()])?;
    let mut text = BlockText::default();
    while let Some(row) = rows.next()? {
        let (line, context) = (row.get_ref(1)?.as_bytes()?, row.get_ref(2)?.as_bytes()?);
        let size = text.lines.len() + text.contexts.len() + line.len() + context.len();
        if size > MAX_TEXT || [line, context].into_iter().any(|part| memchr(END, part).is_some()) {
            return Ok(None);
        }
        text.pad(row.get::<_, i64>(0)? - ids.start());
        text.push(line, context);
    }
    text.pad(BLOCK);
    Ok(Some(text))
}

fn ids_of(block: i64) -> RangeInclusive<i64> {
    block * BLOCK..=block * BLOCK + (BLOCK - 1)
}

/// A part of the ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Its rows have to be read.
    Rows(RangeInclusive<i64>),
    /// Its text is there.
    Text(Block),
}

/// The text of a block, of which only some ids may be wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    number: i64,
    ids: RangeInclusive<i64>,
}

impl Block {
    /// Gives the wanted lines with their ids to `take`, the latest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does not answer.
    pub(super) fn each_line(
        &self,
        database: &Connection,
        wanted: &Wanted,
        mut take: impl FnMut(i64, &[u8]) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut statement = database.prepare_cached(wanted.query())?;
        let mut rows = statement.query([self.number])?;
        let Some(row) = rows.next()? else { return Ok(()) };
        let contexts: Vec<&[u8]> = row.get_ref(1)?.as_bytes()?.split(|&byte| byte == END).collect();
        let first = *ids_of(self.number).start();
        for (index, line) in wanted.lines(row.get_ref(0)?.as_bytes()?).into_iter().rev() {
            let id = first.saturating_add_unsigned(index as u64);
            if self.ids.contains(&id) && wanted.is_under(contexts.get(index).copied().unwrap_or_default()) {
                take(id, line)?;
            }
        }
        Ok(())
    }
}

/// What a search looks for in the text of blocks.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Finds the longest word, or its letters in order, in one line. None if it is too long for that.
    word: Option<Regex>,
    /// How the contexts of the lines begin.
    under: Option<String>,
}

impl Wanted {
    /// The lines that have the longest of the words.
    pub(super) fn new(rows: &Rows) -> Self {
        let longest = rows.containing.iter().max_by_key(|word| word.len()).map(String::as_str).unwrap_or_default();
        let pattern = match rows.matching {
            Matching::Whole => regex::escape(longest),
            Matching::Letters => {
                let letters: Vec<String> = longest.chars().map(|letter| regex::escape(&letter.to_string())).collect();
                letters.join(r"[^\xff]*?")
            }
        };
        let word = RegexBuilder::new(&pattern).unicode(false).case_insensitive(true).build().ok();
        Self { word, under: rows.under.map(str::to_owned) }
    }

    /// The parts of a range of ids, the latest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does not answer.
    pub(super) fn spans(&self, database: &Connection, ids: &RangeInclusive<i64>) -> rusqlite::Result<Vec<Span>> {
        let blocks = if self.word.is_some() { blocks(database, "lines is not null")? } else { Vec::new() };
        let (mut spans, mut end) = (Vec::new(), *ids.end());
        for number in blocks {
            let block = ids_of(number);
            let (first, last) = (*block.start().max(ids.start()), *block.end().min(&end));
            if first > last {
                continue;
            }
            if last < end {
                spans.push(Span::Rows(last + 1..=end));
            }
            spans.push(Span::Text(Block { number, ids: first..=last }));
            end = first - 1;
        }
        if *ids.start() <= end {
            spans.push(Span::Rows(*ids.start()..=end));
        }
        Ok(spans)
    }

    /// The contexts are read only where they are wanted.
    fn query(&self) -> &'static str {
        match self.under {
            Some(_) => "select lines, contexts from history_text where block = ?1",
            None => "select lines, x'' from history_text where block = ?1",
        }
    }

    /// The lines with their index. Those between them are not looked at one by one.
    fn lines<'a>(&self, text: &'a [u8]) -> Vec<(usize, &'a [u8])> {
        let (mut found, mut index, mut start) = (Vec::new(), 0, 0);
        while let Some(at) = self.word.as_ref().and_then(|word| word.shortest_match_at(text, start)) {
            let (before, after) = text.split_at(at);
            let Some(length) = memchr(END, after) else { break };
            let passed = before.get(start..).unwrap_or_default();
            index += memchr_iter(END, passed).count();
            let begin = memrchr(END, passed).map_or(start, |end| start + end + 1);
            found.extend(text.get(begin..at + length).filter(|line| !line.is_empty()).map(|line| (index, line)));
            (index, start) = (index + 1, at + length + 1);
        }
        found
    }

    fn is_under(&self, context: &[u8]) -> bool {
        self.under.as_ref().is_none_or(|under| {
            context.get(..under.len()).is_some_and(|start| start.eq_ignore_ascii_case(under.as_bytes()))
        })
    }
}

#[cfg(test)]
pub(super) use tests::packed;

#[cfg(test)]
#[path = "history_text_tests.rs"]
mod tests;
