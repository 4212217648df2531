//! The proxy as its clients and its providers see it.

mod align;
mod chains;
mod common;
mod faults;
mod gemini;
mod guard;
mod memory;
mod pages;
mod requests;
mod responses;
mod retrieval;
mod sessions;
mod transport;
mod units;
mod websocket;
mod write_guard;
