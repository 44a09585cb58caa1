//! Every transcript is run and compared.
