/** Prints the types of docs/openapi.json that this client uses: `npm run types`. */

import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const DOCUMENT = new URL("../../../../docs/openapi.json", import.meta.url);
const REST = new URL("../src/wire/rest.ts", import.meta.url);
export const TYPES = new URL("../src/wire/openapi.ts", import.meta.url);

/** @returns {Promise<string>} */
export async function printTypes() {
  const { openapi, info, components } = JSON.parse(readFileSync(DOCUMENT, "utf8"));
  /** @type {Record<string, import("openapi-typescript").SchemaObject>} */
  const schemas = {};
  /** @param {string} name */
  const add = (name) => {
    if (name in schemas) return;
    if (!(name in components.schemas)) throw new Error(`docs/openapi.json has no ${name}`);
    schemas[name] = components.schemas[name];
    const text = JSON.stringify(schemas[name]);
    for (const [, other] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) add(/** @type {string} */ (other));
  };
  // A route that this client does not call changes none of its types.
  for (const [, name] of readFileSync(REST, "utf8").matchAll(/Schemas\["(\w+)"\]/g)) add(/** @type {string} */ (name));
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
  const nodes = await openapiTS({ openapi, info, paths: {}, components: { schemas: sorted } });
  return `/** Generated from docs/openapi.json by \`npm run types\`. */\n\n${astToString(nodes)}`;
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TYPES, await printTypes());
