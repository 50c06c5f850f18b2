//! A deployment saved to a folder, and made again from it.

mod save; // natter backup
mod restore; // natter restore

mod manifest; // what a backup holds
mod files; //   and how it is written
mod place; // the deployment that is saved or restored

pub use restore::run as restore;
pub use save::run as save;
