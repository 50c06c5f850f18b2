// validate.mjs FILE: fails with what the parser of AsyncAPI finds wrong in the document. It also breaks a copy of it in
// ways that have to be found, so that a parser that finds nothing is not taken for a good document.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const WRONG = 1; // a warning; 0 is an error, 2 and 3 are information and hints

async function problems(document) {
  const { diagnostics } = await new Parser().parse(JSON.stringify(document));
  return diagnostics
    .filter(({ severity }) => severity <= WRONG)
    .map(({ path, code, message }) => `${path.join("/")}: ${message} (${code})`);
}

const firstWith = (items, key) => Object.values(items).find((item) => item[key] !== undefined);

const broken = {
  "an operation that does neither": (document) => {
    firstWith(document.operations, "action").action = "shout";
  },
  "a reference to nothing": (document) => {
    firstWith(document.operations, "messages").messages = [{ $ref: "#/channels/socket/messages/nothing" }];
  },
  "a schema that is none": (document) => {
    document.components.schemas.Wrong = { type: "text" };
  },
};

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const found = await problems(document);
for (const [what, breakIt] of Object.entries(broken)) {
  const copy = structuredClone(document);
  breakIt(copy);
  if ((await problems(copy)).length === 0) {
    found.push(`the parser does not notice ${what}`);
  }
}
if (found.length > 0) {
  console.error(`${process.argv[2]}:\n  ${found.join("\n  ")}`);
  process.exit(1);
}
