//! Variables: the table of expansions, their properties, and the same in a real shell.

mod atomicity;
mod dotenv;
mod fuzz;
mod init;
mod planted;
mod properties;
mod sealed;
mod secrets;
mod shapes;
mod vectors;
