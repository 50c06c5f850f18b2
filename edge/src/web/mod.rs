//! The web client's files, embedded in the program, and how each is answered: by its name, in the form that the client
//! takes, once.

mod file; // a file in its forms
mod negotiate; // which form a client takes, and whether it has it already
mod headers; // what a page may do

use std::collections::BTreeMap;

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};

use file::File;
pub use file::Source;
pub use negotiate::{accepts_page, is_known};

/// The page of every view: the client reads the address.
const PAGE: &str = "index.html";

/// Answered in the place of the page when the program was built without it.
const NOT_BUILT: Source =
    Source { path: PAGE, plain: include_bytes!("not_built.html"), brotli: None, gzip: None };

/// The API reference, drawn from `/api/openapi.json` by the browser: 4 KB compressed, where the usual viewers have
/// megabytes and styles of their own that no strict policy allows. It needs no build.
const REFERENCE: [Source; 3] = [
    reference("reference/index.html", include_bytes!("reference/index.html")),
    reference("reference/reference.css", include_bytes!("reference/reference.css")),
    reference("reference/reference.js", include_bytes!("reference/reference.js")),
];

const fn reference(path: &'static str, plain: &'static [u8]) -> Source {
    Source { path, plain, brotli: None, gzip: None }
}

/// The files by their path below `/`.
pub struct Web(BTreeMap<&'static str, File>);

impl Web {
    /// As built into this program.
    pub fn embedded() -> Self {
        const FILES: &[Source] = include!(concat!(env!("OUT_DIR"), "/web.rs"));
        Self::of(FILES)
    }

    pub fn of(sources: &[Source]) -> Self {
        let mut files: BTreeMap<_, _> =
            REFERENCE.iter().chain(sources).map(|source| (source.path, File::new(source))).collect();
        files.entry(PAGE).or_insert_with(|| File::new(&NOT_BUILT));
        Self(files)
    }

    /// `None`: there is no such file.
    pub fn answer(&self, path: &str, request: &HeaderMap) -> Option<Response> {
        self.0.get(path).map(|file| file.answer(StatusCode::OK, request))
    }

    /// The client shows what is at the address, or that there is nothing.
    pub fn page(&self, status: StatusCode, request: &HeaderMap) -> Option<Response> {
        self.0.get(PAGE).map(|file| file.answer(status, request))
    }
}
