//! A file in its forms: as it is, and compressed when it was built. Answers are made from memory.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};

use super::{
    headers,
    negotiate::{self, Coding},
};

/// A name with a hash in it stands for one content for ever.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Asked for again each time, and answered 304 as long as it is the same.
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");

/// The folder of files with a hash in their name.
const HASHED: &str = "assets/";

/// A file as it was embedded.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    pub path: &'static str,
    pub plain: &'static [u8],
    pub brotli: Option<&'static [u8]>,
    pub gzip: Option<&'static [u8]>,
}

struct Form {
    coding: Coding,
    bytes: Bytes,
    /// Strong, so each form has its own (RFC 9110 §8.8.3).
    tag: HeaderValue,
}

pub struct File {
    kind: &'static str,
    cache: HeaderValue,
    /// The smallest first; the last is the file as it is.
    forms: Vec<Form>,
}

impl File {
    pub fn new(source: &Source) -> Self {
        let compressed = [(Coding::Brotli, source.brotli), (Coding::Gzip, source.gzip)];
        let compressed =
            compressed.into_iter().filter_map(|(coding, bytes)| bytes.map(|bytes| (coding, bytes)));
        let forms = compressed.chain([(Coding::Identity, source.plain)]).map(|(coding, bytes)| Form {
            coding,
            bytes: Bytes::from_static(bytes),
            tag: tag(bytes, coding),
        });
        Self {
            kind: kind(source.path),
            cache: if source.path.starts_with(HASHED) { IMMUTABLE } else { REVALIDATED },
            forms: forms.collect(),
        }
    }

    pub fn answer(&self, status: StatusCode, request: &HeaderMap) -> Response {
        let there: Vec<Coding> = self.forms.iter().map(|form| form.coding).collect();
        let chosen = negotiate::coding(request, &there);
        let form = self.forms.iter().find(|form| form.coding == chosen);
        let form = form.expect("what is chosen is one of those that are there");
        // A condition is one on the file: an error is sent, whatever the client has (RFC 9110 §13.2.1).
        let known = status.is_success() && negotiate::is_known(request, &form.tag);
        let body = if known { Body::empty() } else { Body::from(form.bytes.clone()) };
        let mut response = Response::new(body);
        *response.status_mut() = if known { StatusCode::NOT_MODIFIED } else { status };
        let headers = response.headers_mut();
        // That of the file, also where it is not sent (RFC 9110 §8.6).
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(form.bytes.len()));
        headers.insert(header::ETAG, form.tag.clone());
        headers.insert(header::CACHE_CONTROL, self.cache.clone());
        // A cache has to ask for each form, if there are several.
        if self.forms.len() > 1 {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if !known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
            headers.extend(
                form.coding.name().map(|name| (header::CONTENT_ENCODING, HeaderValue::from_static(name))),
            );
        }
        headers::add(headers);
        response
    }
}

fn tag(bytes: &[u8], coding: Coding) -> HeaderValue {
    let hash = blake3::hash(bytes).to_hex();
    let text = format!("\"{}-{}\"", &hash[..22], coding.name().unwrap_or("id"));
    HeaderValue::from_str(&text).expect("hexadecimal digits and letters")
}

/// The media type, of the kinds that the build makes.
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
