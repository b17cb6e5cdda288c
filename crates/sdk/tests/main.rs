//! The library as a program uses it, against a receiver that listens.

mod ends;
mod limits;
mod receiver;
