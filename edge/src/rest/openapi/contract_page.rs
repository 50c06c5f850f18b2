//! The table of routes in `docs/protocol.md` has the operations of the document and their query parameters, and no other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document;

const PAGE: &str = include_str!("../../../../docs/protocol.md");
/// What `…` stands for in the table.
const CONVERSATION: &str = "/api/conversations/{id}";

/// The names of the query parameters, by method and path; parameters of the path have no name.
type Routes = BTreeMap<(String, String), BTreeSet<String>>;

/// Of the first column: `GET /path?a=&b=`, or `PUT`/`DELETE /path`, or a path with the method of the one before it.
fn of_page(page: &str) -> Routes {
    let table = page.split("\n| Call | ").nth(1).expect("a table of calls");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| of_cell(row.split(" | ").next().unwrap_or_default())).collect()
}

fn of_cell(cell: &str) -> Routes {
    let (mut routes, mut methods, mut complete) = (Routes::new(), Vec::new(), false);
    for span in cell.split('`').skip(1).step_by(2).filter(|span| !span.starts_with('{')) {
        let (method, address) = match span.split_once(' ') {
            Some((method, address)) => (Some(method), Some(address)),
            None if span.starts_with('/') => (None, Some(span)),
            None => (Some(span), None),
        };
        if let Some(method) = method {
            if complete {
                methods.clear();
            }
            methods.push(method.to_owned());
        }
        complete = address.is_some();
        let Some(address) = address else { continue };
        let address = address.replace('…', CONVERSATION);
        let (path, query) = address.split_once('?').unwrap_or((&address, ""));
        let names =
            query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty());
        let names: BTreeSet<_> = names.map(str::to_owned).collect();
        routes.extend(methods.iter().map(|method| ((method.clone(), nameless(path)), names.clone())));
    }
    routes
}

/// `/a/{id}` as `/a/{}`.
fn nameless(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn of_document(document: &Value) -> Routes {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().expect("methods").iter().map(move |(method, operation)| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let of_query = parameters.filter(|parameter| parameter["in"] == "query");
            let names = of_query.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
            ((method.to_uppercase(), nameless(path)), names.collect())
        })
    });
    all.collect()
}

/// The others are pages and their files.
fn is_of_programs((_, path): &(String, String)) -> bool {
    ["/.well-known/", "/api/", "/health", "/ws"].iter().any(|start| path.starts_with(start))
        && path != "/api/docs"
}

#[test]
fn the_contract_page_has_every_operation_and_no_other() {
    let mut page = of_page(PAGE);
    page.retain(|route, _| is_of_programs(route));
    let document = of_document(&document());
    for (route, names) in &document {
        assert_eq!(page.get(route), Some(names), "docs/protocol.md: {route:?} and its query parameters");
    }
    for route in page.keys() {
        assert!(document.contains_key(route), "docs/protocol.md has {route:?}, the document has not");
    }
}

#[test]
fn the_rows_of_the_contract_page_are_read_in_all_their_forms() {
    let page = "\n| Call | Answer |\n|---|---|\n\
        | `GET /a?x=1&y=` · `POST /a` `{b}` | 200 `GET /not` |\n\
        | `PUT`/`DELETE …/m/{seq}` · `PATCH /p` | 204 |\n\
        | `GET /`, `/login` | a page |\n\n| `GET /later` | |\n";
    let route = |method: &str, path: &str| (method.to_owned(), path.to_owned());
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let expected = [
        (route("GET", "/a"), names(&["x", "y"])),
        (route("POST", "/a"), names(&[])),
        (route("PUT", "/api/conversations/{}/m/{}"), names(&[])),
        (route("DELETE", "/api/conversations/{}/m/{}"), names(&[])),
        (route("PATCH", "/p"), names(&[])),
        (route("GET", "/"), names(&[])),
        (route("GET", "/login"), names(&[])),
    ];
    assert_eq!(of_page(page), Routes::from(expected));
}
