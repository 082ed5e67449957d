//! x
#![allow(dead_code, unused_imports)]
mod args;
mod argv;
mod exit;
mod failure;
mod notes;
mod printer;
mod query_text;
mod render;
mod text;
fn main() {}
