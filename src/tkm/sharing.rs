//! One connection for several calls, for as long as a command works on a host or longer.
//!
//! A verification never uses one that is there: [`Connection::on_fresh_connection`] ends it, and the next call makes a new one.

use std::path::PathBuf;

use super::control::{Control, Shared, Sharing, free_socket};
use super::error::TkmError;
use super::login::Login;
use super::ssh::{Connection, LIMIT};
use crate::sys::attached::{Attached, Readiness};
use crate::sys::child::ChildExit;

impl Connection<'_> {
    /// The same with one connection for all calls with the same login.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { sharing: Some(Sharing::default()), ..self }
    }

    /// The same, also with the calls of later commands for a while. Not for what tests keys or changes which are let in.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { sharing: Some(Sharing::lasting()), ..self }
    }

    /// Has the next call with this login make a connection of its own. Later ones share it.
    #[must_use]
    pub fn on_fresh_connection(&self, login: &Login) -> &Self {
        let who = self.who(login);
        if let Some(sharing) = &self.sharing {
            sharing.all().retain(|shared| shared.who != who);
            if sharing.lasts {
                self.end_lasting(login);
            }
        }
        self
    }

    /// Has a call share the connection of its login, which is made if there is none yet. The call is given its socket, and
    /// what ssh said of the login.
    pub(super) fn with_control<T>(
        &self,
        login: &Login,
        call: impl FnOnce(Control, &str) -> Result<T, TkmError>,
    ) -> Result<T, TkmError> {
        let Some(sharing) = &self.sharing else { return call(Control::Own, "") };
        let (who, mut all) = (self.who(login), sharing.all());
        let index = match all.iter().position(|shared| shared.who == who) {
            Some(index) => index,
            None => match self.make_or_find(login, sharing)? {
                Some(shared) => {
                    all.push(shared);
                    all.len() - 1
                }
                None => return call(Control::Own, ""),
            },
        };
        let shared = &all[index];
        call(Control::Share(&shared.socket), &shared.said)
    }

    /// The socket of the connection that calls with this login share; none if there is none yet.
    pub(super) fn socket_of(&self, login: &Login) -> Option<PathBuf> {
        let who = self.who(login);
        self.sharing.as_ref()?.all().iter().find(|shared| shared.who == who).map(|shared| shared.socket.clone())
    }

    /// Logs in, unless an earlier command left a connection with this login; true if one did.
    ///
    /// # Errors
    ///
    /// Fails as a login does.
    pub fn reach(&self, login: &Login) -> Result<bool, TkmError> {
        self.with_control(login, |_, _| Ok(()))?;
        let who = self.who(login);
        Ok(self.sharing.as_ref().is_some_and(|it| it.all().iter().any(|shared| shared.who == who && shared.is_reused)))
    }

    fn make_or_find(&self, login: &Login, sharing: &Sharing) -> Result<Option<Shared>, TkmError> {
        let lasting = if sharing.lasts { self.lasting_connection(login)? } else { None };
        lasting.map_or_else(|| self.make(login), |shared| Ok(Some(shared)))
    }

    fn make(&self, login: &Login) -> Result<Option<Shared>, TkmError> {
        let Some(socket) = free_socket(self.store.dir()) else { return Ok(None) };
        let log = self.log_file()?;
        let mut words = self.words(login, &self.store.known_hosts(), log.path(), Control::Make(&socket));
        words.extend(["-N".to_owned(), "--".to_owned(), self.target(login)]);
        let fail = |error: std::io::Error| TkmError::Program { program: "ssh", why: error.to_string() };
        let master = Attached::start("ssh", &words, self.variables).map_err(fail)?;
        let readiness = master.wait_until(LIMIT, || socket.exists());
        let said = self.read_log(log.path())?;
        let exit = if readiness == Readiness::GivenUp { ChildExit::Killed } else { ChildExit::Code(0) };
        self.check(login, &said, exit)?;
        Ok(Some(Shared { who: self.who(login), socket, said, master: Some(master), is_reused: false }))
    }

    pub(super) fn who(&self, login: &Login) -> String {
        format!("{} {:?}", self.user_of(login), login.inner())
    }
}
