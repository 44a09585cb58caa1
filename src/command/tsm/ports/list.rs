//! `tsm ports`

use super::processes;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Cell, Fields, Report, Table, Tone, Value, Visibility};
use crate::sys::net::{self, Protocol};
use crate::tsm::ports::formats::{self, PortFormat};
use crate::tsm::ports::status::{self, DeclaredPort, HeldPort, PortUse};

/// Show which ports are declared, and which processes use them
///
/// Declared is what is in the registry (`$TETRA_DIR/tsm/ports`) or in the record of a process. `scan` and `detailed` compare
/// it with the sockets that there are (TCP and UDP, IPv4 and IPv6), and also show ports that processes use undeclared.
#[derive(Debug, clap::Args)]
pub struct Ports {
    /// What to show
    #[arg(value_enum, default_value = "list")]
    what: PortsView,
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PortsView {
    /// Names with their ports
    List,
    /// Everything about each declared port
    Detailed,
    /// Which declared ports are in use, and by whom
    Scan,
    /// The same in numbers
    Overview,
    /// What each process declares and what it listens on
    Status,
    /// Lines for a shell: export NAME_PORT=N
    Env,
    /// One JSON object with ports by name
    Json,
}

impl Command for Ports {
    const NAME: &'static str = "tsm ports";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["tsm ports", "tsm ports scan", "tsm ports status --json", "tsm ports detailed", "tsm ports env"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        match self.what {
            PortsView::List => list_declared(cx),
            PortsView::Detailed => compared(cx, Visibility::Always),
            PortsView::Scan => compared(cx, Visibility::Never),
            PortsView::Overview => overview(cx),
            PortsView::Status => status(cx),
            PortsView::Env => formatted(cx, PortFormat::Env),
            PortsView::Json => formatted(cx, PortFormat::Json),
        }
    }
}

const NONE: &str = "No ports are declared.\nReserve one with: tsm ports set <name> <port>";

fn list_declared(cx: &Cx) -> Result<Report, Fault> {
    let mut table = Table::new(&[
        ("name", "NAME"),
        ("port", "PORT"),
        ("process", "PROCESS"),
        ("pid", "PID"),
        ("in_registry", "REGISTRY"),
    ])
    .when_empty(NONE);
    for account in status::declared(cx.paths, &processes(cx)?)? {
        let registered = registered_cell(&account);
        table.row(vec![
            Cell::from(account.claim.name).tone(Tone::Strong),
            account.claim.port.into(),
            Value::from(account.process.as_ref().map(|name| name.as_str())).into(),
            Value::from(account.pid).into(),
            registered,
        ]);
    }
    Ok(Report::of(table))
}

/// Whether a port is in the registry.
fn registered_cell(account: &DeclaredPort) -> Cell {
    if account.registered { Cell::from(true) } else { unregistered_cell() }
}

fn unregistered_cell() -> Cell {
    Cell::from(false).tone(Tone::Warn)
}

/// Declared against actual. `details` says whether people see every column.
fn compared(cx: &Cx, details: Visibility) -> Result<Report, Fault> {
    let survey = status::read_status(cx.paths, &processes(cx)?)?;
    let mut table = Table::new(&[
        ("name", "NAME"),
        ("port", "PORT"),
        ("status", "STATUS"),
        ("used_by", "USED BY"),
        ("process", "PROCESS"),
        ("pid", "PID"),
        ("owner_pid", "OWNER"),
        ("user", "USER"),
        ("command", "COMMAND"),
        ("sockets", "SOCKETS"),
        ("in_registry", "REGISTRY"),
    ])
    .when_empty(NONE);
    for key in ["process", "pid", "sockets", "in_registry"] {
        table = table.with_visibility(key, details);
    }
    for account in &survey.declared {
        table.row(row(account));
    }
    for held in &survey.undeclared {
        table.row(undeclared(held));
    }
    Ok(Report::of(table))
}

fn row(account: &DeclaredPort) -> Vec<Cell> {
    let (used_by, tone) = match account.in_use() {
        PortUse::Free => (Value::Null, Tone::Dim),
        PortUse::Own => ("itself".into(), Tone::Good),
        PortUse::Other => ("another".into(), Tone::Bad),
    };
    let mut cells = vec![
        Cell::from(account.claim.name.as_str()).tone(Tone::Strong),
        account.claim.port.into(),
        if account.in_use() == PortUse::Free { free_cell() } else { used_cell() },
        Cell::from(used_by).tone(tone),
        Value::from(account.process.as_ref().map(|name| name.as_str())).into(),
        Value::from(account.pid).into(),
    ];
    cells.extend(owner_cells(account.tcp().next().or(account.listeners.first())));
    cells.push(sockets(&account.listeners));
    cells.push(registered_cell(account));
    cells
}

fn undeclared(held: &HeldPort) -> Vec<Cell> {
    let process = held.managed.as_ref().map(|name| name.as_str());
    let mut cells = vec![
        Value::from(process).into(),
        held.listener.port.into(),
        used_cell(),
        Cell::from("undeclared").tone(Tone::Warn),
        Value::from(process).into(),
        Value::Null.into(),
    ];
    cells.extend(owner_cells(Some(held)));
    cells.push(sockets(std::slice::from_ref(held)));
    cells.push(unregistered_cell());
    cells
}

fn used_cell() -> Cell {
    Cell::from("used").text("USED")
}

fn free_cell() -> Cell {
    Cell::from("free").text("FREE").tone(Tone::Dim)
}

/// Pid, user and command of who holds a socket.
pub(super) fn owner_cells(held: Option<&HeldPort>) -> [Cell; 3] {
    let owner = held.and_then(|held| held.owner.as_ref());
    // Who made a socket is known even where its holder is not.
    let user = owner.map(|owner| owner.user.clone()).or_else(|| held.map(|held| net::user_name(held.listener.uid)));
    let command = owner.map(|owner| owner.command.clone());
    [Value::from(owner.map(|owner| owner.pid)).into(), Value::from(user).into(), truncate_command(Value::from(command))]
}

/// A command line that is cut for people.
pub(in crate::command) fn truncate_command(command: Value) -> Cell {
    const MAX_WIDTH: usize = 60;
    match &command {
        Value::Text(text) if text.chars().count() > MAX_WIDTH => {
            let start: String = text.chars().take(MAX_WIDTH).collect();
            Cell::from(command).text(format!("{start}…"))
        }
        _ => command.into(),
    }
}

/// `tcp 127.0.0.1`, `udp [::]`.
fn sockets(held: &[HeldPort]) -> Cell {
    let words: Vec<String> = held.iter().map(|held| format!("{} {}", protocol(held), held.listener.address)).collect();
    let text = if words.is_empty() { "-".to_owned() } else { words.join(", ") };
    Cell::from(words).text(text)
}

/// `tcp`, `tcp6`, `udp` or `udp6`.
pub(super) fn protocol(held: &HeldPort) -> &'static str {
    match (held.listener.protocol, held.listener.address.is_ipv6()) {
        (Protocol::Tcp, false) => "tcp",
        (Protocol::Tcp, true) => "tcp6",
        (Protocol::Udp, false) => "udp",
        (Protocol::Udp, true) => "udp6",
    }
}

fn overview(cx: &Cx) -> Result<Report, Fault> {
    let survey = status::read_status(cx.paths, &processes(cx)?)?;
    let count = |is: &dyn Fn(&DeclaredPort) -> bool| survey.declared.iter().filter(|account| is(account)).count();
    Ok(Report::of(
        Fields::default()
            .with("declared", survey.declared.len())
            .with("in_registry", count(&|it| it.registered))
            .with("of_processes", count(&|it| it.process.is_some()))
            .with("used_by_itself", count(&|it| it.in_use() == PortUse::Own))
            .with("used_by_another", count(&|it| it.in_use() == PortUse::Other))
            .with("free", count(&|it| it.in_use() == PortUse::Free))
            .with("undeclared", survey.undeclared.len()),
    ))
}

fn status(cx: &Cx) -> Result<Report, Fault> {
    let all = processes(cx)?;
    let held = status::held(&all);
    let mut table = Table::new(&[
        ("process", "PROCESS"),
        ("status", "STATUS"),
        ("declared", "DECLARED"),
        ("listening", "LISTENING"),
        ("verdict", "VERDICT"),
    ])
    .when_empty("No processes.\nStart one with: tsm start <service-name>");
    for process in &all {
        let own = held.iter().filter(|it| it.managed.as_ref() == Some(&process.name));
        let mut ports: Vec<u16> =
            own.filter(|it| it.listener.protocol == Protocol::Tcp).map(|it| it.listener.port).collect();
        ports.dedup();
        let (verdict, tone) = match (process.meta.port, process.is_running()) {
            (_, false) => ("not running", Tone::Dim),
            (Some(port), true) if ports.contains(&port) => ("as declared", Tone::Good),
            (Some(_), true) if ports.is_empty() => ("not listening", Tone::Warn),
            (Some(_), true) => ("listens elsewhere", Tone::Bad),
            (None, true) if ports.is_empty() => ("no port", Tone::Dim),
            (None, true) => ("undeclared", Tone::Warn),
        };
        let words: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let text = if words.is_empty() { "-".to_owned() } else { words.join(", ") };
        table.row(vec![
            Cell::from(process.name.as_str()).tone(Tone::Strong),
            crate::command::tsm::list::status_word(process.status()).into(),
            Value::from(process.meta.port).into(),
            Cell::from(Value::List(ports.into_iter().map(Value::from).collect())).text(text),
            Cell::from(verdict).tone(tone),
        ]);
    }
    Ok(Report::of(table))
}

/// Ports by name, as JSON in any case, or as lines for a shell.
fn formatted(cx: &Cx, form: PortFormat) -> Result<Report, Fault> {
    let accounts = status::declared(cx.paths, &processes(cx)?)?;
    let claims: Vec<_> = accounts.into_iter().map(|account| account.claim).collect();
    let name = |name: String| if form == PortFormat::Env { formats::variable(&name) } else { name };
    let data = formats::named(&claims).into_iter().map(|(it, port)| (name(it), Value::from(port))).collect();
    Ok(Report::of(Block::TextWithData { text: formats::format(&claims, form), data: Value::Record(data) }))
}
