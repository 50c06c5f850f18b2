// Draws openapi.json. Text becomes text nodes and nothing else, so that no policy has to be relaxed for it.

const METHODS = ["get", "post", "put", "patch", "delete"];

/** An element; children are nodes or text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

/** `code` and the rest of a text. */
function words(text = "") {
  return text.split(/(`[^`]+`)/).map((part) => (/^`.+`$/.test(part) ? make("code", {}, part.slice(1, -1)) : part));
}

function paragraphs(text = "") {
  return text.split("\n\n").filter(Boolean).map((part) => make("p", {}, ...words(part)));
}

function draw(document_) {
  const resolve = (value) =>
    value?.$ref
      ? { ...value.$ref.slice(2).split("/").reduce((at, key) => at[key], document_), name: value.$ref.split("/").pop() }
      : value;

  /** What a value is, in one line. */
  function kind(schema) {
    if (schema === undefined) return ["anything"];
    if (schema.$ref) {
      const name = schema.$ref.split("/").pop();
      return [make("a", { href: `#schema-${name}` }, name)];
    }
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices?.some((choice) => "const" in choice)) return [choices.map((choice) => JSON.stringify(choice.const)).join(" or ")];
    if (choices) return choices.flatMap((choice, index) => [...(index ? [" or "] : []), ...kind(choice)]);
    if ("const" in schema) return [JSON.stringify(schema.const)];
    if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(" or ")];
    if (schema.type === "array") return ["list of ", ...kind(schema.items)];
    if (schema.additionalProperties?.$ref) return ["object of ", ...kind(schema.additionalProperties)];
    const types = [schema.type].flat().filter(Boolean).join(" or ");
    return [schema.format && !schema.format.startsWith("uint") ? `${types} (${schema.format})` : types || "anything"];
  }

  function bounds(schema = {}) {
    const named = {
      minLength: "at least % characters", maxLength: "at most % characters", minItems: "at least % items", maxItems: "at most % items",
      minimum: "from %", maximum: "to %", pattern: "matches %", default: "% by default",
    };
    // Bounds of a type, such as 64 bits, say nothing.
    const says = ([key, value]) => key in named && !(typeof value === "number" && (value > Number.MAX_SAFE_INTEGER || (key === "minimum" && value === 0)));
    const all = Object.entries(schema).filter(says);
    return all.map(([key, value]) => named[key].replace("%", value)).join(", ");
  }

  function row(name, schema, required, description, place) {
    const limits = bounds(schema);
    return [
      make("dt", {}, make("code", {}, name), ...(required ? [" ", make("span", { class: "tag" }, "required")] : [])),
      make("dd", {}, ...kind(schema), ...(place ? [make("span", { class: "faint" }, ` in ${place}`)] : []),
        ...(limits ? [make("span", { class: "faint" }, `, ${limits}`)] : []),
        ...(description ? [make("div", { class: "faint" }, ...words(description))] : [])),
    ];
  }

  function fields(schema) {
    const required = schema.required ?? [];
    const rows = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
      row(name, property, required.includes(name), property.description));
    return rows.length ? make("dl", {}, ...rows) : make("p", {}, ...kind(schema));
  }

  function answers(responses) {
    return make("dl", {}, ...Object.entries(responses).flatMap(([status, given]) => {
      const answer = resolve(given);
      const media = Object.entries(answer.content ?? {});
      const headers = Object.keys(answer.headers ?? {}).filter((name) => name !== "X-Request-Id");
      return [
        make("dt", {}, make("code", {}, status)),
        make("dd", {}, ...words(answer.description),
          ...media.filter(([type]) => type === "application/json").flatMap(([, body]) => [" ", ...kind(body.schema)]),
          ...(headers.length ? [make("div", { class: "faint" }, `Headers: ${headers.join(", ")}`)] : [])),
      ];
    }));
  }

  function inside(operation) {
    const body = operation.requestBody?.content["application/json"];
    const cost = operation["x-natter-cost"];
    const parameters = (operation.parameters ?? []).flatMap((p) => row(p.name, p.schema, p.required, p.description, p.in));
    const part = (title, ...content) => [make("h3", {}, title), ...content];
    return [
      ...paragraphs(operation.description),
      make("p", { class: "faint" },
        operation.security.some((scheme) => scheme.bearer) ? "With a token. " : "Without a log-in. ",
        cost ? `Takes ${cost.tokens} of the ${cost.of}'s class ${cost.class}.` : "Not limited."),
      ...(parameters.length ? part("Parameters", make("dl", {}, ...parameters)) : []),
      ...(body ? part("Body", make("p", {}, ...kind(body.schema)), fields(resolve(body.schema)),
        make("h3", {}, "Example"), make("pre", {}, JSON.stringify(body.example, null, 2))) : []),
      ...part("Answers", answers(operation.responses)),
    ];
  }

  /** Drawn when it is opened: most are not. */
  function fold(id, summary, content) {
    const details = make("details", { id }, make("summary", {}, ...summary));
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(make("div", { class: "inside" }, ...content()));
    });
    return details;
  }

  const operations = Object.entries(document_.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => ({ path, method, ...methods[method] })));
  const sections = document_.tags.map((tag) => make("section", {}, make("h2", {}, tag.name), ...paragraphs(tag.description),
    ...operations.filter((operation) => operation.tags.includes(tag.name)).map((operation) => fold(operation.operationId, [
      make("span", { class: "method" }, operation.method.toUpperCase()), make("code", {}, operation.path),
      make("span", { class: "about" }, operation.summary),
    ], () => inside(operation)))));
  const schemas = make("section", {}, make("h2", {}, "Types"),
    ...Object.entries(document_.components.schemas).map(([name, schema]) =>
      fold(`schema-${name}`, [make("code", {}, name), make("span", { class: "about" }, ...words(schema.description))],
        () => [fields(schema)])));
  return { operations, content: [...paragraphs(document_.info.description), ...sections, schemas] };
}

function contents(operations, tags) {
  const filter = make("input", { type: "search", placeholder: "Filter", "aria-label": "Filter operations" });
  const links = operations.map((operation) => ({
    operation, item: make("li", {}, make("a", { href: `#${operation.operationId}` }, operation.summary)),
  }));
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const { operation, item } of links) {
      item.hidden = !`${operation.summary} ${operation.path} ${operation.method}`.toLowerCase().includes(wanted);
    }
  });
  const groups = tags.flatMap((tag) => [make("h2", {}, tag.name),
    make("ul", {}, ...links.filter(({ operation }) => operation.tags.includes(tag.name)).map(({ item }) => item))]);
  return [filter, ...groups];
}

/** Opens what the address names. */
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

const state = document.getElementById("state");
try {
  const answer = await fetch("/api/openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const openapi = await answer.json();
  const { operations, content } = draw(openapi);
  document.getElementById("contents").append(...contents(operations, openapi.tags));
  document.getElementById("main").append(...content);
  state.remove();
  openNamed();
  addEventListener("hashchange", openNamed);
} catch (error) {
  state.textContent = `The reference cannot be shown: ${error.message}. Reload the page to try again.`;
}
