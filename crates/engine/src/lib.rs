//! e
mod answer;
mod hints;
mod policy;
pub use answer::*;
pub use policy::*;
