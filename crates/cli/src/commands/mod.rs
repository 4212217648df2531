//! One file per command.

pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod compress;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod healthcheck;
pub(crate) mod hook;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod mcp_entry;
pub(crate) mod memory;
pub(crate) mod paths;
pub(crate) mod proxy;
pub(crate) mod replay;
pub(crate) mod request;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod stats;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod why;
pub(crate) mod wrap;
