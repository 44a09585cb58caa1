//! Every command of the table keeps its promises.
