use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use natter_schemas::{
    code::{Advice, Code},
    id::UserId,
    rest::check,
};
use serde_json::{Value, json};

use super::{document, types::ID};
use crate::costs::{ROUTES, RouteCost};

fn committed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json")
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    let printed = format!("{:#}\n", document());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(committed(), &printed).expect("written");
    }
    let text = fs::read_to_string(committed()).unwrap_or_default();
    assert!(text == printed, "docs/openapi.json is out of date: print it again with UPDATE=1");
}

/// Method, path, operation.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods.iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    all.collect()
}

/// Status and answer, references followed.
fn answers<'a>(document: &'a Value, operation: &'a Value) -> Vec<(u16, &'a Value)> {
    let answers = operation["responses"].as_object().expect("answers");
    let status = |text: &str| text.parse().expect("a status");
    answers.iter().map(|(text, answer)| (status(text), resolve(document, answer))).collect()
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').expect("local")).expect(reference),
        None => value,
    }
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = document();
    let described: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routes = ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
    // The rest are pages and their files, which people read.
    let of_programs = |path: &str| {
        let mut starts = ["/.well-known/", "/api/", "/health", "/ws"].iter();
        starts.any(|start| path.starts_with(start)) && !path.starts_with("/api/docs")
    };
    let routes: BTreeSet<_> = routes.filter(|(_, path)| of_programs(path)).collect();
    assert_eq!(described, routes);
}

/// What a client may be answered by the gate, whatever it asks for.
#[test]
fn every_route_has_the_refusals_of_its_gate() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let cost = ROUTES.iter().find(|(m, p, _)| *m == method && *p == path).expect("a route").2;
        let statuses: Vec<u16> =
            answers(&document, operation).into_iter().map(|(status, _)| status).collect();
        let expected: &[u16] = match cost {
            RouteCost::User(_) => &[401, 429, 500, 503],
            RouteCost::Address(_) => &[429, 500, 503],
            RouteCost::Free => &[],
        };
        assert!(expected.iter().all(|status| statuses.contains(status)), "{method} {path}: {statuses:?}");
        let secured =
            operation["security"].as_array().is_some_and(|schemes| schemes.contains(&json!({"bearer": []})));
        assert_eq!(secured, matches!(cost, RouteCost::User(_)), "{method} {path}");
    }
}

#[test]
fn every_failure_is_described_with_its_status_and_no_other() {
    let document = document();
    let mut described: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for (name, response) in document["components"]["responses"].as_object().expect("responses") {
        let fields = &response["content"]["application/problem+json"]["schema"]["properties"];
        for code in fields["code"]["enum"].as_array().expect("codes") {
            let code = code.as_str().expect("a name").to_owned();
            described.entry(code).or_default().insert(fields["status"]["const"].as_u64().expect(name));
        }
    }
    // The rest of the table is for sockets.
    let of_http = |code: &&Code| code.row().close.is_none() || code.row().advice == Advice::Authenticate;
    let expected = Code::ALL.iter().filter(of_http);
    let expected =
        expected.map(|code| (code.name().to_owned(), BTreeSet::from([u64::from(code.row().status)])));
    assert_eq!(described, expected.collect::<BTreeMap<_, _>>());
    let names: BTreeSet<_> = Code::ALL.iter().map(|code| json!(code.name()).to_string()).collect();
    let listed = document["components"]["schemas"]["Code"]["enum"].as_array().expect("names");
    assert_eq!(listed.iter().map(Value::to_string).collect::<BTreeSet<_>>(), names);
    assert_eq!(listed.len(), names.len(), "a name stands there twice");
}

#[test]
fn an_answer_of_its_own_is_no_failure_of_the_table() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            // The body of a node that is not ready says why.
            let own = answer.get("$ref").is_none();
            assert!(!own || status.as_str() < "400" || path == "/health/ready", "{method} {path}: {status}");
        }
    }
}

#[test]
fn every_answer_has_a_request_id_and_what_is_made_has_an_address() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        for (status, answer) in answers(&document, operation) {
            let required = |name: &str| resolve(&document, &answer["headers"][name])["required"] == true;
            assert!(required("X-Request-Id"), "{method} {path}: {status}");
            assert!(
                status != 201 || required("Location"),
                "{method} {path} makes something without an address"
            );
            assert!(![429, 503].contains(&status) || required("Retry-After") || path == "/health/ready");
        }
    }
}

#[test]
fn every_link_names_an_operation_and_its_parameters() {
    let document = document();
    let all = operations(&document);
    let mut linked = BTreeSet::new();
    for (method, path, operation) in &all {
        for (_, answer) in answers(&document, operation) {
            for link in answer["links"].as_object().into_iter().flatten().map(|(_, link)| link) {
                let target = all.iter().find(|(.., other)| other["operationId"] == link["operationId"]);
                let (.., target) =
                    target.unwrap_or_else(|| panic!("{method} {path} links to nothing: {link}"));
                let parameters = target["parameters"].as_array().cloned().unwrap_or_default();
                let names: BTreeSet<_> = parameters
                    .iter()
                    .map(|p| {
                        format!("{}.{}", p["in"].as_str().unwrap_or("?"), p["name"].as_str().unwrap_or("?"))
                    })
                    .collect();
                for name in link["parameters"].as_object().into_iter().flatten().map(|(name, _)| name) {
                    assert!(names.contains(name), "{method} {path} links with {name}, which is none: {link}");
                }
                assert!(link.get("requestBody").is_none() || target.get("requestBody").is_some(), "{link}");
                linked.insert(link["operationId"].as_str().expect("a name").to_owned());
            }
        }
    }
    for operation in ["listMessages", "postMessage", "getMessage", "editMessage", "react", "markRead"] {
        assert!(linked.contains(operation), "nothing leads to {operation}");
    }
}

#[test]
fn no_two_operations_have_one_name() {
    let document = document();
    let all = operations(&document);
    let names: BTreeSet<_> = all.iter().map(|(.., operation)| operation["operationId"].to_string()).collect();
    assert_eq!(names.len(), all.len());
}

/// With the document's components, so that references can be followed.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .build(&schema)
        .unwrap_or_else(|error| panic!("no JSON Schema: {error}\n{schema:#}"))
}

#[test]
fn every_schema_is_valid_and_every_example_is_valid_by_its_schema() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        for (_, answer) in answers(&document, operation) {
            for media in answer["content"].as_object().into_iter().flatten().map(|(_, media)| media) {
                validator(&document, &media["schema"]);
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let validator = validator(&document, &parameter["schema"]);
            let example = parameter.get("example");
            assert!(
                example.is_none_or(|example| validator.is_valid(example)),
                "{method} {path}: {parameter}"
            );
        }
        let media = &operation["requestBody"]["content"]["application/json"];
        if !media.is_null() {
            let example = &media["example"];
            assert!(validator(&document, &media["schema"]).is_valid(example), "{method} {path}: {example}");
        }
    }
}

#[test]
fn every_field_says_what_it_means() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        assert!(schema["description"].is_string(), "{name} says nothing");
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(schema["description"].is_string(), "{name}.{field} says nothing");
        }
    }
}

#[test]
fn ids_and_keys_have_the_rule_of_the_code() {
    let document = document();
    let body = |name: &str, field: &str| document["components"]["schemas"][name]["properties"][field].clone();
    let client_id = validator(&document, &body("PostMessage", "clientId"));
    let user_id = validator(&document, &json!({"$ref": "#/components/schemas/UserId"}));
    for text in ["x", "a-b_c", "", " ", "é", "a\nb", "a\n", &"x".repeat(64), &"x".repeat(65)] {
        assert_eq!(client_id.is_valid(&json!(text)), check::visible_ascii(text), "{text:?}");
    }
    for text in [ID, "01890000-0000-7000-8000-00000000000G", "", "01890000-0000-7000-8000-0000000000001"] {
        let parsed = text.parse::<UserId>().is_ok();
        assert_eq!(user_id.is_valid(&json!(text)), parsed, "{text}");
    }
}
