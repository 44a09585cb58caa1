//! The commands of a document.

use std::process::Command;

/// Commands that stand together.
#[derive(Debug, Default, Clone)]
pub(crate) struct Block {
    /// The heading above it.
    pub(crate) heading: String,
    /// Where it begins.
    pub(crate) line: usize,
    pub(crate) statements: Vec<Statement>,
    /// What the last of them prints, where the document says it: parts of lines, in this order.
    pub(crate) expected: Vec<String>,
}

/// One command, which may have several lines.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) line: usize,
    pub(crate) text: String,
    /// Whether bash can read it.
    pub(crate) is_complete: bool,
}

/// Programs whose commands also count where they stand in backquotes.
const OURS: [&str; 4] = ["tsm", "tkm", "org", "tetra"];

/// The text between two fences.
struct Fenced<'a> {
    language: &'a str,
    lines: Vec<(usize, &'a str)>,
}

/// All commands of a document, in its order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut heading = String::new();
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let mut output_follows = false;
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let inside = lines.by_ref().take_while(|(_, line)| line.trim() != "```");
            let inside = inside.map(|(number, line)| (number, line.get(indent..).unwrap_or_default())).collect();
            let fenced = Fenced { language, lines: inside };
            if std::mem::take(&mut output_follows) {
                found.last_mut().expect("a block before its output").expected = literal(&fenced);
            } else {
                found.extend(commands(&fenced).into_iter().map(|lines| block(&heading, number, &lines)));
            }
        } else if let Some(name) = line.strip_prefix('#') {
            name.trim_start_matches('#').trim().clone_into(&mut heading);
        } else {
            output_follows = line.trim() == "Expected output:" || (output_follows && line.trim().is_empty());
            let inline: Vec<(usize, &str)> = inline(line).map(|command| (number, command)).collect();
            found.extend((!inline.is_empty()).then(|| block(&heading, number, &inline)));
        }
    }
    found.retain(|block| !block.statements.is_empty());
    found
}

fn block(heading: &str, line: usize, lines: &[(usize, &str)]) -> Block {
    Block { heading: heading.to_owned(), line, statements: statements(lines), expected: Vec::new() }
}

/// Whole commands in backquotes.
fn inline(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.filter(|span| {
        let mut words = span.split(' ');
        let first = words.next().is_some_and(|word| word == "sudo" || OURS.contains(&word));
        first && words.next().is_some() && !line.contains("| `")
    })
}

/// The parts of expected output that are literal. What is left out is `...`, and systemd adds to what is in parentheses.
fn literal(fenced: &Fenced) -> Vec<String> {
    fenced.lines.iter().map(|(_, line)| line.trim().trim_end_matches(['.', ' ', ')']).to_owned()).collect()
}

/// The texts in a fenced block that a shell runs: all of it, or the `run: |` of a workflow.
fn commands<'a>(fenced: &Fenced<'a>) -> Vec<Vec<(usize, &'a str)>> {
    match fenced.language {
        "bash" => vec![fenced.lines.clone()],
        "yaml" => {
            let indent = |line: &str| line.len() - line.trim_start().len();
            let begins = fenced.lines.iter().enumerate().filter(|(_, (_, line))| line.ends_with("run: |"));
            let texts = begins.map(|(index, (_, run))| {
                let inside = fenced.lines[index + 1..].iter();
                let inside = inside.take_while(|(_, line)| indent(line) > indent(run));
                inside.map(|(number, line)| (*number, line.trim())).collect()
            });
            texts.collect()
        }
        _ => Vec::new(),
    }
}

/// Takes lines apart where bash would run them.
fn statements(lines: &[(usize, &str)]) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut rest = lines;
    while let Some(((number, first), after)) = rest.split_first() {
        rest = after;
        if first.trim().is_empty() || first.trim().starts_with('#') {
            continue;
        }
        let mut text = (*first).to_owned();
        let mut is_complete = is_whole(&text);
        for (index, (_, line)) in after.iter().enumerate() {
            if is_complete {
                break;
            }
            text = format!("{text}\n{line}");
            is_complete = is_whole(&text);
            if is_complete {
                rest = &after[index + 1..];
            }
        }
        // Where no further line helps, it is the first that is wrong.
        let text = if is_complete { text } else { (*first).to_owned() };
        found.push(Statement { line: *number, text, is_complete });
    }
    found
}

/// Whether bash would run it now. It warns of a document within a command (`<<EOF`) that has no end; also of a locale that the
/// machine does not have.
fn is_whole(text: &str) -> bool {
    let mut bash = Command::new("bash");
    let output = bash.args(["-n", "-c", text]).env("LC_ALL", "C").output().expect("bash is there");
    !text.ends_with('\\') && output.status.success() && output.stderr.is_empty()
}

#[test]
fn commands_are_taken_out_as_bash_would_read_them() {
    let text = "# Title\n\nRun `tsm list`, not `list`.\n```bash\n# first\nscp a \\\n    b\ncat > x <<EOF\nif\nEOF\ndone\n```\n\
                ## Next\n- a list\n  ```bash\n  ls\n  ```\nExpected output:\n```\nx (a)\ny ...\n```\n\
                ```yaml\njobs:\n  - run: |\n      tsm list\n      true\n  - name: x\n```\n```toml\nx = 1\n```\n";
    let all: Vec<_> = blocks(text)
        .into_iter()
        .map(|it| (it.heading, it.statements.into_iter().map(|it| (it.line, it.text)).collect::<Vec<_>>(), it.expected))
        .collect();
    let owned =
        |list: &[(usize, &str)]| list.iter().map(|(line, text)| (*line, (*text).to_owned())).collect::<Vec<_>>();
    let title = "Title".to_owned();
    let next = "Next".to_owned();
    let whole = owned(&[(6, "scp a \\\n    b"), (8, "cat > x <<EOF\nif\nEOF"), (11, "done")]);
    let expected = vec!["x (a".to_owned(), "y".to_owned()];
    assert_eq!(
        all,
        [
            (title.clone(), owned(&[(3, "tsm list")]), Vec::new()),
            (title, whole, Vec::new()),
            (next.clone(), owned(&[(16, "ls")]), expected),
            (next, owned(&[(26, "tsm list"), (27, "true")]), Vec::new()),
        ]
    );
}
