//! A world of its own for each test: folders, surroundings, operator.
