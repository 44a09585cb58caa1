//! Files that are whole or absent: temp, sync, rename; locked changes; private modes.
